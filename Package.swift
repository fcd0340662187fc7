// swift-tools-version: 6.1

import PackageDescription

/// The settings of every Swift target: one language mode, and imports that say what they expose.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// The settings of the tests, which expose nothing.
let tests: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

/// Functions that return spans name what the span borrows from. Swift before 6.2 has no spans.
#if compiler(>=6.2)
let spans: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]
#else
let spans: [SwiftSetting] = []
#endif

let package = Package(
  name: "Unroll",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Unroll", targets: ["Unroll"]),
    .library(name: "UnrollFormats", targets: ["UnrollFormats"]),
    .library(name: "UnrollFigures", targets: ["UnrollFigures"]),
    .library(name: "UnrollLab", targets: ["UnrollLab"]),
    .library(name: "UnrollLanguage", targets: ["UnrollLanguage"]),
    .library(name: "UnrollVerification", targets: ["UnrollVerification"]),
    .library(name: "UnrollMPI", targets: ["UnrollMPI"]),
    .library(name: "UnrollWeb", targets: ["UnrollWeb"]),
    .executable(name: "unroll", targets: ["UnrollCommand"]),
  ],
  traits: [
    .trait(name: "Command", description: "The command `unroll`, through swift-argument-parser."),
    .default(enabledTraits: []),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
  ],
  targets: [
    // Level 0: the machine.
    .target(name: "CUnrollKernels"),
    .target(name: "UnrollContracts", swiftSettings: strict),
    .target(name: "UnrollPlatform", swiftSettings: strict),
    .systemLibrary(
      name: "CZlib",
      providers: [.apt(["zlib1g-dev"])]
    ),

    // Libraries that are loaded at run time: the loader, and two whose interface is C.
    .target(name: "UnrollLibraries", swiftSettings: strict),
    .target(name: "CHDF5"),
    .target(name: "CMPI", exclude: ["Shim"]),

    // Level 1: numbers, and figures.
    .target(
      name: "Unroll",
      dependencies: [
        "CUnrollKernels", "UnrollContracts",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict + spans
    ),
    .target(
      name: "UnrollFigures", dependencies: ["UnrollContracts", "UnrollPlatform"],
      swiftSettings: strict),

    // Level 2: other programs' files and conventions.
    .target(
      name: "UnrollFormats",
      dependencies: [
        "CUnrollKernels", "Unroll", "UnrollContracts", "CZlib", "CHDF5", "UnrollLibraries",
        "UnrollPlatform",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Level 3: what the numbers are for.
    .target(
      name: "UnrollLab",
      dependencies: [
        "Unroll", "UnrollContracts", "UnrollFormats", "UnrollFigures", "UnrollLibraries",
        "UnrollPlatform",
        .product(name: "ComplexModule", package: "swift-numerics"),
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollLanguage",
      dependencies: [
        "Unroll", "UnrollContracts", "UnrollFormats", "UnrollFigures", "UnrollPlatform",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollVerification",
      dependencies: [
        "Unroll", "UnrollFormats", "UnrollLab",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Level 4: other processes, and the page.
    .target(
      name: "UnrollMPI",
      dependencies: ["UnrollLanguage", "UnrollLibraries", "CMPI"],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollWeb",
      dependencies: [
        "Unroll", "UnrollFormats", "UnrollFigures", "UnrollLab", "UnrollLanguage",
        "UnrollPlatform",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      resources: [.embedInCode("Page")],
      swiftSettings: strict
    ),

    // Level 5: the command.
    .executableTarget(
      name: "UnrollCommand",
      dependencies: [
        "Unroll", "UnrollContracts", "UnrollFormats", "UnrollFigures", "UnrollLab",
        "UnrollLanguage", "UnrollMPI", "UnrollPlatform", "UnrollVerification", "UnrollWeb",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser",
          condition: .when(traits: ["Command"])),
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Tests, which mirror the sources.
    .target(
      name: "UnrollTestSupport", dependencies: ["Unroll", "UnrollFigures"],
      path: "Tests/UnrollTestSupport",
      swiftSettings: tests),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .executableTarget(
      name: "MisuseProgram", dependencies: ["Unroll"], path: "Tests/MisuseProgram",
      swiftSettings: tests),
    .testTarget(
      name: "UnrollTests",
      dependencies: [
        "Unroll", "CUnrollKernels", "CAllocationCounter", "MisuseProgram", "UnrollTestSupport",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollFormatsTests", dependencies: ["UnrollFormats", "Unroll", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollFiguresTests", dependencies: ["UnrollFigures", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollLabTests",
      dependencies: ["UnrollLab", "UnrollFormats", "UnrollFigures", "Unroll", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollVerificationTests",
      dependencies: [
        "UnrollVerification", "UnrollLab", "UnrollFormats", "Unroll", "UnrollTestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollLanguageTests",
      dependencies: [
        "UnrollLanguage", "UnrollFormats", "UnrollPlatform", "Unroll", "CAllocationCounter",
        "UnrollTestSupport",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollWebTests",
      dependencies: [
        "UnrollWeb", "UnrollLab", "UnrollFormats", "UnrollFigures", "UnrollTestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollCommandTests",
      dependencies: ["UnrollCommand", "UnrollFormats", "UnrollTestSupport"],
      swiftSettings: tests),
  ]
)
