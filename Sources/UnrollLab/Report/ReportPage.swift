// The report as one HTML file without external resources or scripts; readable on a phone, in print, and in light and
// dark mode.

internal import Foundation
internal import UnrollFigures

/// Rendering of a report as HTML.
struct ReportPage {
  /// Text that identifies the page of a report of any version.
  static let mark = "<footer><p>All numbers: <a href=\"results.json\">"

  let report: LabReport
  /// The figures by name, including variants for narrow screens; a missing figure is replaced with its name.
  let pictures: [String: [UInt8]]
  /// The note to show if figures are missing.
  let note: String?

  var html: String {
    let contents = report.sections.map {
      "<li><a href=\"#\($0.id)\">\(escaped($0.title))</a></li>"
    }.joined(separator: "\n")
    let notice = note.map { "<p class=\"note\">\(escaped($0))</p>" } ?? ""
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(escaped(report.title))</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      <main>
      <h1>\(escaped(report.title))</h1>
      <p>\(escaped(report.introduction))</p>
      \(notice)
      <nav aria-label="Contents"><ol>
      \(contents)
      </ol></nav>
      \(report.sections.map(section).joined(separator: "\n"))
      \(Self.mark)results.json</a>. Each figure has its data \
      (.csv), its gnuplot script (.gp) and images (SVG, PNG, PDF) next to this page.</p></footer>
      </main>
      </body>
      </html>

      """
  }

  private func section(_ section: LabReport.Section) -> String {
    let settings = section.settings.map {
      "<span><b>\(escaped($0.name))</b> \(escaped($0.value))</span>"
    }.joined(separator: " ")
    let data =
      section.arrays.isEmpty
      ? "" : "<p class=\"files\"><a href=\"data/\(section.id).npz\">\(section.id).npz</a></p>"
    return """
      <section id="\(section.id)">
      <h2>\(escaped(section.title))</h2>
      <p>\(escaped(section.interpretation))</p>
      \(section.figures.map { figure($0.figure, $0.alternative) }.joined(separator: "\n"))
      \(section.tables.map(table).joined(separator: "\n"))
      \(section.command.map { "<p class=\"settings\"><code>\(escaped($0))</code></p>" } ?? "<p class=\"settings\">\(settings)</p>")
      \(data)
      </section>
      """
  }

  private func figure(_ figure: Figure, _ alternative: String) -> String {
    let name = figure.name
    var image = ""
    var links = ["<a href=\"data/\(name).csv\">csv</a>", "<a href=\"figures/\(name).gp\">gp</a>"]
    if let picture = pictures[name] {
      let (narrow, size) = (figure.narrow(), figure.drawnSize)
      let source = pictures[narrow.name].map { picture in
        """
        <source media="(max-width: 700px)" srcset="\(address(picture))" \
        width="\(narrow.drawnSize.width)" height="\(narrow.drawnSize.height)">
        """
      }
      image = """
        <picture>\(source ?? "")<img src="\(address(picture))" width="\(size.width)" \
        height="\(size.height)" alt="\(escaped(alternative))"></picture>
        """
      links =
        PictureFormat.allCases.map {
          "<a href=\"figures/\(name).\($0.rawValue)\">\($0.rawValue)</a>"
        } + links
    }
    return """
      <figure>\(image)
      <figcaption>\(escaped(figure.title)) <span class="files">\(links.joined(separator: " "))</span></figcaption>
      </figure>
      """
  }

  private func address(_ picture: [UInt8]) -> String {
    "data:image/svg+xml;base64,\(Data(picture).base64EncodedString())"
  }

  private func table(_ table: LabReport.Table) -> String {
    let head = table.header.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
    let rows = table.rows.map { row in
      "<tr>" + row.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>"
    }.joined(separator: "\n")
    return """
      <div class="table" tabindex="0" role="region" aria-label="\(escaped(table.caption))"><table>
      <caption>\(escaped(table.caption))</caption>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(rows)
      </tbody></table></div>
      """
  }

  private func escaped(_ text: String) -> String {
    // Split into scalars, because browsers do not process grapheme clusters.
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;".unicodeScalars
      case "<": result += "&lt;".unicodeScalars
      case ">": result += "&gt;".unicodeScalars
      case "\"": result += "&quot;".unicodeScalars
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  private static let style = """
    :root { --ink: #1c1c1c; --paper: #fff; --soft: #5b5b5b; --line: #d5d5d5; --link: #00558c; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e8e8e8; --paper: #171717; --soft: #aaa; --line: #444; --link: #7cc4f5; }
      /* Figures have a light background, which is inverted in dark mode. */
      figure img { filter: invert(0.91) hue-rotate(180deg); }
    }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 17px/1.55 system-ui, sans-serif; }
    main { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
    h1 { font-size: 1.9rem; line-height: 1.2; } h2 { font-size: 1.35rem; margin-top: 3rem; }
    p { max-width: 44rem; } a { color: var(--link); }
    figure { margin: 1.5rem 0; }
    img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
    figcaption, .settings, .files, footer { color: var(--soft); font-size: .88rem; }
    .settings, .settings code { overflow-wrap: anywhere; }
    .settings span { margin-right: .8em; }
    .note { border-left: 4px solid #d55e00; padding-left: .8rem; }
    .table { overflow-x: auto; margin: 1rem 0; }
    table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
    caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
    th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line);
      vertical-align: top; }
    td:nth-child(n+3) { white-space: nowrap; }
    @media (max-width: 700px) {
      main { padding: .8rem; } img { margin: 0 auto; }
      th, td { padding-right: .6rem; }
      td:nth-child(1) { min-width: 4.5rem; } td:nth-child(2) { min-width: 6.5rem; }
    }
    @media print {
      :root { --ink: #000; --paper: #fff; --soft: #444; --line: #bbb; --link: #00558c; }
      body { font-size: 10pt; } main { max-width: none; padding: 0; }
      nav { display: none; } figure { margin: .6rem 0; break-inside: avoid; }
      figure img { filter: none; max-height: 11cm; width: auto; }
      tr { break-inside: avoid; } thead { display: table-header-group; break-after: avoid; }
      h2 { break-after: avoid; margin-top: 1.5rem; } p { orphans: 3; widows: 3; }
      .table { overflow: visible; } table { font-size: 8.5pt; }
      th, td, td:nth-child(n+3) { white-space: normal; padding-right: .5rem; }
    }
    """
}
