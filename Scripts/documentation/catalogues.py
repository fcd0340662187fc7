#!/usr/bin/env python3
"""Compares each library's documentation catalogue with its public declarations.

  catalogues.py        exits with 1 and names what is missing or extra

For every library product of Package.swift, Sources/TARGET/TARGET.docc/TARGET.md must

- list each public top-level type and function of the target once under "## Topics", and nothing that is not one,
- list each article of the catalogue,
- show Swift code only that stands in a file of Snippets/, where it is compiled.

Names are read from the sources: a public top-level declaration begins its line, which swift-format ensures.
"""
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DECLARATION = re.compile(
    r"(?:@\S+ )*(?:nonisolated |final |indirect )*(?:public|open) (?:nonisolated |final |indirect )*"
    r"(?:struct|class|enum|actor|protocol|typealias|func|var|let|macro) `?(\w+)")
TOPIC = re.compile(r"^- (?:``([^`]+)``|<doc:([^>]+)>)\s*$", re.MULTILINE)
CODE = re.compile(r"^```swift\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def libraries():
    """The library products of the manifest. Each has the name of its target."""
    found = re.findall(r'\.library\(name: "(\w+)"', read(os.path.join(ROOT, "Package.swift")))
    if not found:
        sys.exit("catalogues.py: Package.swift: expected .library(name: …), found none")
    return found


def declarations(target):
    """The names of public top-level declarations, with the files that have them. A name that begins with an underscore is
    no part of the documentation."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "Sources", target, "**", "*.swift"), recursive=True)):
        for line in read(path).splitlines():
            match = DECLARATION.match(line)
            if match and not match[1].startswith("_"):
                found.setdefault(match[1], os.path.relpath(path, ROOT))
    return found


def indented(text, spaces):
    return "\n".join(" " * spaces + line if line else line for line in text.splitlines())


def problems(target, snippets):
    """Sentences about what a catalogue lacks or has too much."""
    folder = os.path.join(ROOT, "Sources", target, f"{target}.docc")
    page = os.path.join(folder, f"{target}.md")
    name = os.path.relpath(page, ROOT)
    if not os.path.exists(page):
        yield f"{name}: expected the landing page of the library's catalogue, found no file"
        return
    text = read(page)
    if not text.startswith(f"# ``{target}``\n"):
        yield f"{name}: expected the title '# ``{target}``'"
    overview, _, topics = text.partition("\n## Topics\n")
    entries = TOPIC.findall(topics)
    # A member or an overload is not a declaration of the top level.
    listed = collections.Counter(symbol.partition("(")[0] for symbol, _ in entries if symbol and "/" not in symbol)
    declared = declarations(target)
    for symbol in sorted(set(declared) - set(listed)):
        yield f"{name}: expected a topic for the public {symbol} ({declared[symbol]}), found none"
    for symbol in sorted(set(listed) - set(declared)):
        yield f"{name}: lists {symbol}, which is not a public declaration at the top level of {target}"
    for symbol, times in sorted(listed.items()):
        if times > 1:
            yield f"{name}: lists {symbol} {times} times"
    articles = {os.path.splitext(os.path.basename(path))[0]
                for path in glob.glob(os.path.join(folder, "**", "*.md"), recursive=True)} - {target}
    linked = {article for _, article in entries if article}
    for article in sorted(articles - linked):
        yield f"{name}: expected a topic <doc:{article}>, found none"
    for article in sorted(linked - articles):
        yield f"{name}: lists <doc:{article}>, for which the catalogue has no file"
    blocks = CODE.findall(overview)
    if not blocks:
        yield f"{name}: expected an example in Swift in the overview, found none"
    for block in blocks:
        if not any(indented(block, spaces) in snippet for snippet in snippets for spaces in (0, 2)):
            first = block.splitlines()[0] if block else ""
            yield f"{name}: the example that begins with '{first}' stands in no file of Snippets/"


def main():
    snippets = [read(path) for path in sorted(glob.glob(os.path.join(ROOT, "Snippets", "*.swift")))]
    found = [problem for target in libraries() for problem in problems(target, snippets)]
    if found:
        sys.exit("\n".join(f"catalogues.py: {problem}" for problem in found))


if __name__ == "__main__":
    main()
