// swift-tools-version: 6.1
// Fuzzing of the readers of other programs' files and requests, a package of its own: libFuzzer brings `main`.
// `./run fuzz` builds and runs it.

import PackageDescription

let package = Package(
  name: "Fuzz",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "Unroll", path: "..")],
  targets: [
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        .product(name: "UnrollFormats", package: "Unroll"),
        .product(name: "UnrollWeb", package: "Unroll"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6), .unsafeFlags(["-parse-as-library"])])
  ]
)
