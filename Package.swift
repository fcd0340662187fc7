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

let package = Package(
  name: "Unroll",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Unroll", targets: ["Unroll"]),
    .library(name: "UnrollFormats", targets: ["UnrollFormats"]),
    .library(name: "UnrollONNX", targets: ["UnrollONNX"]),
    .library(name: "UnrollFigures", targets: ["UnrollFigures"]),
    .library(name: "UnrollLab", targets: ["UnrollLab"]),
    .library(name: "UnrollLanguage", targets: ["UnrollLanguage"]),
    .library(name: "UnrollMPI", targets: ["UnrollMPI"]),
    .library(name: "UnrollWeb", targets: ["UnrollWeb"]),
    .executable(name: "unroll", targets: ["UnrollCommand"]),
  ],
  traits: [
    .trait(
      name: "HDF5", description: "Keras' files, read and written, through the system's libhdf5."),
    .trait(name: "MPI", description: "Training on many processes, through the system's MPI."),
    .default(enabledTraits: ["HDF5"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
  ],
  targets: [
    // Level 0: the machine.
    .target(name: "CUnrollKernels"),
    .target(name: "UnrollContracts", swiftSettings: strict),
    .systemLibrary(
      name: "CZlib",
      providers: [.apt(["zlib1g-dev"])]
    ),

    .systemLibrary(
      name: "CLAPACK",
      providers: [.apt(["liblapacke-dev"]), .brew(["lapack"])]
    ),

    .systemLibrary(
      name: "CMPI", pkgConfig: "mpi",
      providers: [.apt(["libopenmpi-dev"]), .brew(["open-mpi"])]
    ),

    .systemLibrary(
      name: "CHDF5",
      providers: [.apt(["libhdf5-dev"])]
    ),

    // Level 1: numbers, and figures.
    .target(
      name: "Unroll",
      dependencies: [
        "CUnrollKernels", "UnrollContracts",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),
    .target(name: "UnrollFigures", dependencies: ["UnrollContracts"], swiftSettings: strict),

    // Level 2: other programs' files and conventions.
    .target(
      name: "UnrollFormats",
      dependencies: [
        "CUnrollKernels", "Unroll", "UnrollContracts", "CZlib",
        .target(name: "CHDF5", condition: .when(traits: ["HDF5"])),
      ],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollONNX",
      dependencies: [
        "Unroll", "UnrollContracts", "UnrollFormats",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Level 3: what the numbers are for.
    .target(
      name: "UnrollLab",
      dependencies: [
        "CLAPACK", "Unroll", "UnrollContracts", "UnrollFormats", "UnrollFigures", "UnrollONNX",
        .product(name: "ComplexModule", package: "swift-numerics"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollLanguage",
      dependencies: [
        "Unroll", "UnrollContracts", "UnrollFormats", "UnrollFigures",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Level 4: other processes, and the page.
    .target(
      name: "UnrollMPI",
      dependencies: ["UnrollLanguage", .target(name: "CMPI", condition: .when(traits: ["MPI"]))],
      swiftSettings: strict
    ),

    .target(
      name: "UnrollWeb",
      dependencies: [
        "Unroll", "UnrollFormats", "UnrollFigures", "UnrollLab", "UnrollLanguage",
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      resources: [
        .embedInCode("Page/page.html"), .embedInCode("Page/page.css"),
        .embedInCode("Page/page.js"), .embedInCode("Page/model.js"),
        .embedInCode("Page/icon.svg"),
      ],
      swiftSettings: strict
    ),

    // Level 5: the command.
    .executableTarget(
      name: "UnrollCommand",
      dependencies: [
        "Unroll", "UnrollFormats", "UnrollONNX", "UnrollFigures", "UnrollLab", "UnrollLanguage",
        "UnrollMPI", "UnrollWeb",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "RealModule", package: "swift-numerics"),
      ],
      swiftSettings: strict
    ),

    // Tests, which mirror the sources.
    .target(
      name: "UnrollTestSupport", dependencies: ["Unroll"], path: "Tests/UnrollTestSupport",
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
      name: "UnrollONNXTests",
      dependencies: ["UnrollONNX", "UnrollFormats", "Unroll", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollFiguresTests", dependencies: ["UnrollFigures", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollLabTests",
      dependencies: ["UnrollLab", "UnrollFormats", "UnrollFigures", "Unroll", "UnrollTestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "UnrollLanguageTests",
      dependencies: [
        "UnrollLanguage", "UnrollFormats", "Unroll", "CAllocationCounter", "UnrollTestSupport",
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
