import Testing

extension Tag {
  /// A test that computes for several seconds; `./run test --fast` leaves it out.
  @Tag public static var slow: Self
}
