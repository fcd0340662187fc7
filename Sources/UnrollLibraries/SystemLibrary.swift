// System libraries, loaded on first use. The package builds without them; without a library, only the features that
// need it are unavailable.

internal import Foundation

/// A library that is loaded at run time.
package struct SystemLibrary {
  /// A library: its purpose, candidate files and installation.
  package struct Description: Sendable {
    /// The feature that needs it, as subject and verb of a sentence: "HDF5 files (.h5, .keras) need".
    let need: String
    /// The name for messages.
    let name: String
    /// The environment variable that overrides the file.
    package let variable: String
    /// The files to try in order if the variable is not set.
    let files: [String]
    /// Installation instructions.
    let remedy: String
    /// Whether libraries that it loads must see its symbols.
    var isGlobal = false
  }

  private nonisolated(unsafe) let handle: UnsafeMutableRawPointer
  private let description: Description
  /// The path of the loaded file, as passed to the loader.
  package let file: String

  /// Loads a library for the rest of the process's life.
  ///
  /// - Throws: `SystemLibraryError` if none of its files can be loaded.
  package init(_ description: Description) throws(SystemLibraryError) {
    let given = ProcessInfo.processInfo.environment[description.variable].flatMap {
      $0.isEmpty ? nil : $0
    }
    let files = given.map { [$0] } ?? description.files
    var reason = ""
    for file in files {
      if let handle = dlopen(file, RTLD_NOW | (description.isGlobal ? RTLD_GLOBAL : RTLD_LOCAL)) {
        (self.handle, self.file, self.description) = (handle, file, description)
        return
      }
      let text = dlerror().map { String(cString: $0) } ?? ""
      // For default files, report only libraries that exist but cannot be loaded.
      let isAbsent = text.hasPrefix("\(file): cannot open") || text.contains("no such file")
      if reason.isEmpty, given != nil || !isAbsent { reason = " (\(text))" }
    }
    let origin = given == nil ? "" : ", which \(description.variable) names,"
    throw SystemLibraryError(
      description,
      "\(files.joined(separator: ", "))\(origin) could not be loaded\(reason); \(description.remedy)"
    )
  }

  /// The library's handle for the system.
  package var systemHandle: UnsafeMutableRawPointer { handle }

  /// Returns the address of a function or variable.
  ///
  /// - Throws: `SystemLibraryError` if the symbol is missing.
  package func symbol(_ name: String) throws(SystemLibraryError) -> UnsafeMutableRawPointer {
    guard let address = dlsym(handle, name) else { throw lacks(name) }
    return address
  }

  /// Returns a C function with the type given by the caller.
  ///
  /// - Throws: `SystemLibraryError` if the symbol is missing.
  package func function<Function>(_ name: String) throws(SystemLibraryError) -> Function {
    unsafeBitCast(try symbol(name), to: Function.self)
  }

  /// Returns the error for a missing symbol.
  package func lacks(_ name: String) -> SystemLibraryError {
    refused("has no \(name)")
  }

  /// Returns the error for an unusable library, such as "is of version 1.8.16, …".
  package func refused(_ why: String) -> SystemLibraryError {
    SystemLibraryError(description, "\(file) \(why); \(description.remedy)")
  }
}

/// A required system library that cannot be used on this machine.
package struct SystemLibraryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The feature, the library, the files tried, and the remedy.
  package let description: String

  init(_ library: SystemLibrary.Description, _ what: String) {
    description = "\(library.need) \(library.name): \(what)"
  }
}
