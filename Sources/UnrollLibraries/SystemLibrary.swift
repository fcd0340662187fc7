// Libraries of the system that are loaded when something first needs them: the package builds without
// them, and a machine without one lacks only what it is for.

internal import Foundation

/// A library that is loaded at run time.
package struct SystemLibrary {
  /// Which library, what it is for, where it is looked for, and how it is installed.
  package struct Description: Sendable {
    /// What needs it, as the subject and verb of a sentence: "HDF5 files (.h5, .keras) need".
    let need: String
    /// What people call it.
    let name: String
    /// The environment variable that names its file.
    package let variable: String
    /// The files that are tried, in this order, where the variable is not set.
    let files: [String]
    /// How somebody gets it.
    let remedy: String
    /// Whether libraries that it loads itself must see its symbols.
    var isGlobal = false
  }

  private nonisolated(unsafe) let handle: UnsafeMutableRawPointer
  private let description: Description
  /// The file that was loaded, as it was asked for.
  package let file: String

  /// Loads a library; it stays until the process ends.
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
      // Of files that nobody named, one that is there and cannot be loaded is worth a word.
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

  /// The address of a function or variable.
  ///
  /// - Throws: `SystemLibraryError` if the library does not have it.
  package func symbol(_ name: String) throws(SystemLibraryError) -> UnsafeMutableRawPointer {
    guard let address = dlsym(handle, name) else { throw lacks(name) }
    return address
  }

  /// A C function, as the type that the caller knows it to have.
  ///
  /// - Throws: `SystemLibraryError` if the library does not have it.
  package func function<Function>(_ name: String) throws(SystemLibraryError) -> Function {
    unsafeBitCast(try symbol(name), to: Function.self)
  }

  /// The error of a library that does not have a symbol.
  package func lacks(_ name: String) -> SystemLibraryError {
    refused("has no \(name)")
  }

  /// The error of a library that is there and cannot be used: "is of version 1.8.16, …".
  package func refused(_ why: String) -> SystemLibraryError {
    SystemLibraryError(description, "\(file) \(why); \(description.remedy)")
  }
}

/// A library of the system that something needs and that cannot be used here.
package struct SystemLibraryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What needs which library, what was tried, and what to do.
  package let description: String

  init(_ library: SystemLibrary.Description, _ what: String) {
    description = "\(library.need) \(library.name): \(what)"
  }
}
