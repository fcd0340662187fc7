// Messages on a machine without the libraries that are loaded at run time, or with other versions of them.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Libraries that are loaded at run time")
struct SystemLibraryTests {
  private let command = CommandTests()
  private let files = goldenFolder + "/files"
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  private static let hdf5 =
    "HDF5 files (.h5, .keras) need the HDF5 library, 1.10.3 or newer: /nonexistent, which UNROLL_HDF5 names, could not be loaded ("
  private static let lapack =
    "spectra and orthogonal weights need LAPACK: /nonexistent, which UNROLL_LAPACK names, could not be loaded ("
  private static let mpi =
    "training on several processes needs libunroll-mpi.so: /nonexistent, which UNROLL_MPI names, could not be loaded ("

  @Test("Without libhdf5, HDF5 files are refused in a sentence, and other files are read")
  func withoutHDF5() throws {
    let missing = ["UNROLL_HDF5": "/nonexistent"]
    try withTemporaryFolder { folder in
      for file in ["keras3_mixed.h5", "keras3_mixed.keras", "keras3_mixed.weights.h5"] {
        let refused = try command.unroll("inspect", "\(files)/\(file)", environment: missing)
        #expect(refused.status == 1)
        #expect(refused.errors.contains(Self.hdf5), "\(refused.errors)")
        let remedy = "or hdf5 with brew, or name the library's file in UNROLL_HDF5"
        #expect(refused.errors.contains(remedy))
      }
      let model = "\(files)/mlx_gru_stack.safetensors"
      #expect(try command.unroll("inspect", model, environment: missing).status == 0)
      let target = "\(folder)/model.weights.h5"
      let written = try command.unroll("convert", model, target, environment: missing)
      #expect(written.status == 1)
      #expect(written.errors.contains(Self.hdf5), "\(written.errors)")
      #expect(!FileManager.default.fileExists(atPath: target))
      #expect(try command.unroll("convert", model, target).status == 0)
    }
    let verdicts = try command.unroll(
      "verify", goldenFolder, "--filter", "keras_files", environment: missing)
    #expect(verdicts.output.contains("needs the HDF5 library"), "\(verdicts.output)")
  }

  @Test(
    "Without LAPACK, spectra and orthogonal weights are refused, and the report is written",
    .tags(.slow))
  func withoutLAPACK() throws {
    let missing = ["UNROLL_LAPACK": "/nonexistent"]
    for arguments in [
      ["spectrum"], ["spectrum", "--cell", "lstm"], ["memory", "--orthogonal", "1"],
      ["gradients", "--orthogonal", "1"], ["gates", "--orthogonal", "1"],
    ] {
      let refused = try command.run(["lab"] + arguments, environment: missing)
      #expect(refused.status != 0)
      #expect(refused.errors.contains(Self.lapack), "\(arguments): \(refused.errors)")
      #expect(refused.output.isEmpty)
    }
    try withTemporaryFolder { folder in
      let report = try command.unroll("lab", "--output", folder + "/report", environment: missing)
      #expect(report.status == 0, "\(report.errors)")
      #expect(FileManager.default.fileExists(atPath: folder + "/report/index.html"))
    }
  }

  @Test("Without libunroll-mpi.so, a launcher's processes train nothing, and one of them says why")
  func withoutMPI() throws {
    let missing = ["UNROLL_MPI": "/nonexistent"]
    try withTemporaryFolder { folder in
      let train = ["train", "--output", folder + "/run", "--max-steps", "2"]
      for (variables, whole, isFirst) in [
        (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"], "4 processes", true),
        (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"], "", false),
        (["PMI_SIZE": "2", "PMI_RANK": "0"], "2 processes", true),
        (["PMIX_RANK": "0", "SLURM_NTASKS": "3"], "3 processes", true),
        (["PMIX_RANK": "0"], "this process", true),
      ] {
        let result = try command.run(train, environment: variables.merging(missing) { $1 })
        #expect(result.status != 0)
        if isFirst {
          let start = "an MPI launcher started \(whole), each of which would do all the work: "
          #expect(result.errors.contains(start + Self.mpi), "\(result.errors)")
          #expect(
            result.errors.contains(
              "./run mpi builds it next to the command, or start unroll without the launcher"))
        } else {
          #expect(result.errors.isEmpty)
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/run"))
      }
    }
  }

  @Test(
    "Processes of one machine share its cores",
    .needs(
      Need("UNROLL_THREADS not to be set") {
        ProcessInfo.processInfo.environment["UNROLL_THREADS"] == nil
      }))
  func cores() throws {
    var many = ["OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": "1000"]
    func threads() throws -> Substring? {
      try command.unroll("info", environment: many).output.split(separator: "\n")
        .first { $0.hasPrefix("threads") }?.split(separator: " ").dropFirst().first
    }
    #expect(try threads() == "1")
    many["UNROLL_THREADS"] = "3"
    #expect(try threads() == "3")
  }

  @Test("unroll info names each library, or what it lacks")
  func info() throws {
    let there = try command.unroll("info").output
    #expect(there.contains("HDF5 "))
    #expect(!there.contains("HDF5 files"), "\(there)")
    #expect(!there.contains("spectra and"), "\(there)")
    let missing = try command.unroll(
      "info",
      environment: [
        "UNROLL_HDF5": "/nonexistent", "UNROLL_LAPACK": "/nonexistent",
        "UNROLL_MPI": "/nonexistent",
      ])
    #expect(missing.status == 0)
    let words = Self.unwrapped(missing.output)
    for sentence in [Self.hdf5, Self.lapack, Self.mpi] {
      #expect(words.contains("not found: " + sentence), "\(missing.output)")
    }
    let widths = missing.output.split(separator: "\n").map(\.count)
    #expect(widths.allSatisfy { $0 <= 80 }, "\(missing.output)")
  }

  /// A table's text without its line ends.
  private static func unwrapped(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Compiles a shared library from C source.
  private func library(_ source: String, in folder: String) throws -> String {
    let path = "\(folder)/\(UUID().uuidString).so"
    try source.write(toFile: path + ".c", atomically: true, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = ["clang", "-shared", "-fPIC", "-o", path, path + ".c"]
    try compiler.run()
    compiler.waitUntilExit()
    try #require(compiler.terminationStatus == 0)
    return path
  }

  @Test("A library that is too old, or not what its name says, is refused by name")
  func others() throws {
    try withTemporaryFolder { folder in
      func version(_ major: Int, _ minor: Int, _ release: Int) -> String {
        """
        int H5get_libversion(unsigned *a, unsigned *b, unsigned *c) {
          *a = \(major), *b = \(minor), *c = \(release);
          return 0;
        }
        """
      }
      let empty = "int nothing;"
      let cases = [
        ("UNROLL_HDF5", version(1, 8, 16), "is of version 1.8.16"),
        ("UNROLL_HDF5", version(1, 10, 2), "is of version 1.10.2"),
        ("UNROLL_HDF5", version(1, 10, 3), "has no H5open"),
        ("UNROLL_HDF5", empty, "has no H5get_libversion"),
        ("UNROLL_LAPACK", empty, "has no dgeev_"),
        ("UNROLL_MPI", empty, "has no unroll_mpi_table"),
        (
          "UNROLL_MPI", "int table[100]; int *unroll_mpi_table(void) { return table; }",
          "is of another version of Unroll (interface 0, expected "
        ),
      ]
      for (variable, source, sentence) in cases {
        let path = try library(source, in: folder)
        let info = try command.unroll("info", environment: [variable: path])
        #expect(info.status == 0)
        #expect(
          Self.unwrapped(info.output).contains("\(path) \(sentence)"), "\(info.output)")
      }
    }
  }

  @Test("A program that cannot read HDF5 files for this one is named; one that can is run")
  func readers() throws {
    // More bytes than a socket buffers, so that a reader that ends at once would cause SIGPIPE.
    let numbers = StoredArray(Tensor((0..<500_000).map { Float($0) }))
    try withTemporaryFolder { folder in
      let file = folder + "/a.h5"
      try ArrayFile(for: file, arrays: ["a": numbers]).write(to: file)
      func inspect(_ program: String) throws -> CommandTests.Outcome {
        try command.unroll("inspect", file, environment: ["UNROLL_HDF5_READER": program])
      }
      let other = try inspect("/bin/true")
      #expect(other.status == 1)
      #expect(
        other.errors.contains("the process that reads HDF5 (/bin/true) did not begin"),
        "\(other.errors)")
      let missing = try inspect("/nonexistent")
      #expect(missing.status == 1)
      #expect(
        missing.errors.contains("no process to read HDF5 in: /nonexistent: No such file"),
        "\(missing.errors)")
      let itself = try inspect("")
      #expect(itself.output.contains("500000"), "\(itself)")
      #expect(try inspect(CommandTests.binary.path).output == itself.output)
    }
  }

  @Test("Code that a program has loaded as a library does not take the program for its own")
  func inLibrary() throws {
    try withTemporaryFolder { folder in
      let sources = ["process.c", "reading.c", "library.c"].map {
        "\(Self.root)/Sources/CHDF5/\($0)"
      }
      let include = "-I\(Self.root)/Sources/CHDF5/include"
      let main = folder + "/main.c"
      try """
      #include "unroll_hdf5.h"
      int main(void) { return 10 + unroll_hdf5_is_in_program(); }
      """.write(toFile: main, atomically: true, encoding: .utf8)
      func run(_ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
      }
      let library = folder + "/libreader.so"
      #expect(try run(["clang", "-shared", "-fPIC", include, "-o", library] + sources) == 0)
      #expect(try run(["clang", include, "-o", folder + "/whole", main] + sources) == 0)
      #expect(
        try run([
          "clang", include, "-o", folder + "/parts", main, library, "-Wl,-rpath,\(folder)",
        ]) == 0)
      #expect(try run([folder + "/whole"]) == 11)
      #expect(try run([folder + "/parts"]) == 10)
      // Called by the name of the reading process, a program that contains the code reads, and finds no input.
      let name = "exec -a unroll-reads-hdf5 \(folder)/whole </dev/null"
      #expect(try run(["bash", "-c", name]) == 1)
    }
  }

  @Test("The packages that a sentence names are those that ./run setup installs")
  func packages() throws {
    let setup = try String(
      contentsOfFile: Self.root + "/Scripts/tasks/setup.sh", encoding: .utf8)
    let info = try command.unroll(
      "info", environment: ["UNROLL_HDF5": "/nonexistent", "UNROLL_LAPACK": "/nonexistent"])
    let words = Self.unwrapped(info.output)
    let named = words.matches(of: /install (.+?) with apt-get/).flatMap { match in
      match.output.1.matches(of: /lib[a-z0-9-]+/).map { String($0.output) }
    }
    #expect(named == ["libhdf5-103-1", "libhdf5-310", "libhdf5-103-1t64", "liblapack3"])
    let table = setup.split(separator: "\n").filter { $0.contains("|library ") }
      .flatMap { $0.prefix { $0 != "|" }.split(separator: "/").map(String.init) }
    #expect(Set(named) == Set(table))
  }
}
