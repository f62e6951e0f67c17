"""The frame of the report: one page with its style in it, and nothing from the network."""

from string import Template

STYLE = """
:root { --ink: #1f2328; --soft: #59636e; --line: #d5dae0; --wash: #f5f7f9; --link: #0b57a4; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.6;
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 5rem; }
nav { padding: 1.5rem 1.25rem; font-size: .875rem; line-height: 1.45; background: var(--wash); }
nav ol { list-style: none; margin: 0; padding: 0; }
nav ol ol { padding-left: .9rem; border-left: 1px solid var(--line); margin: .2rem 0 .7rem; }
nav a { color: inherit; text-decoration: none; display: block; padding: .12rem 0; }
nav > ol > li > a { font-weight: 600; }
nav ol ol a { color: var(--soft); }
a { color: var(--link); }
a:hover, nav a:hover { text-decoration: underline; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.6rem; line-height: 1.25; margin: 4rem 0 1rem; padding-top: 1.2rem;
  border-top: 2px solid var(--ink); }
h3 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h4 { font-size: 1rem; margin: 1.8rem 0 .4rem; }
h2, h3, h4 { scroll-margin-top: 1rem; text-wrap: balance; }
p, li { overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
figure img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
.text-first th:first-child, .text-first td:first-child { text-align: left; padding-left: 0; }
pre { font: .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: .8rem 0;
  padding: .7rem .9rem; background: var(--wash); border-radius: 4px; overflow-x: auto; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em; }
pre.stderr { background: #fff7e0; }
pre.error { background: #fdecea; }
.notice { padding: .8rem 1rem; background: #fdecea; border-left: 4px solid #b3261e; }
details { margin: .4rem 0; font-size: .875rem; }
main details > summary { color: var(--soft); cursor: pointer; }
math[display="block"] { margin: 1rem 0; }
@media (max-width: 70rem) { nav { max-height: 40vh; overflow-y: auto; } }
@media (min-width: 70rem) {
  body { display: grid; grid-template-columns: 18rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; }
}
@media print {
  nav, details { display: none; }
  h2 { break-before: page; }
  figure { break-inside: avoid; }
}
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>$style</style>
</head>
<body>
<nav aria-label="Contents">
$contents
</nav>
<main>
<h1>$title</h1>
$body
</main>
</body>
</html>
""")


def page_html(title: str, contents: str, body: str) -> str:
    """Put the parts of a page together; each is HTML already."""
    return PAGE.substitute(title=title, style=STYLE, contents=contents, body=body)
