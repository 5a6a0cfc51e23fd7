"""One chart as SVG, for a page that needs nothing else: lines over a logarithmic axis of powers of two."""
import html
import math

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 210, 44, 52
COLOURS = ("#0b6e99", "#c2410c", "#5b8c2a", "#7c3aed", "#b45309", "#475569")

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2em auto; padding: 0 1em; color: #1f2933; }}
svg {{ width: 100%; height: auto; }} text {{ font: 13px system-ui, sans-serif; fill: #1f2933; }}
pre {{ overflow-x: auto; background: #f4f6f8; padding: 1em; font-size: 13px; line-height: 1.4; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #14181d; color: #e4e7eb; }} text {{ fill: #e4e7eb; }} pre {{ background: #1f262e; }}
}}
</style>
<h1>{title}</h1>
{chart}
<pre>{text}</pre>
</html>
"""


def page(title, chart, text):
    return PAGE.format(title=html.escape(title), chart=chart, text=html.escape(text))


def nice_step(span):
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into six parts at most."""
    power = 10 ** math.floor(math.log10(span / 6))
    return next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)


def chart(title, x_name, y_name, lines):
    """`lines`: (name, [(x, y)], is_dashed); x above 0."""
    points = [point for _, line, _ in lines for point in line]
    low_x, high_x = (math.log2(bound(x for x, _ in points)) for bound in (min, max))
    step = nice_step(max(y for _, y in points))
    high_y = step * math.ceil(max(y for _, y in points) / step)

    def place_x(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log2(x) - low_x) / max(high_x - low_x, 1e-9)

    def place_y(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / high_y

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
             f'<text x="{LEFT}" y="22" style="font-weight:600">{html.escape(title)}</text>']
    for index in range(round(high_y / step) + 1):
        y = place_y(index * step)
        parts += [f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#8895a7" stroke-opacity=".3"/>',
                  f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{index * step:g}</text>']
    for x in sorted({x for x, _ in points}):
        parts.append(f'<text x="{place_x(x):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{x:g}</text>')
    parts += [f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{html.escape(x_name)}</text>',
              f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
              f'{html.escape(y_name)}</text>']
    for index, (name, line, is_dashed) in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        dash = ' stroke-dasharray="6 5"' if is_dashed else ""
        path = "M" + "L".join(f"{place_x(x):.1f} {place_y(y):.1f}" for x, y in line)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if not is_dashed:
            parts += [f'<circle cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in line]
        y = TOP + 12 + 22 * index
        parts += [f'<path d="M{WIDTH - RIGHT + 14} {y - 4}h26" stroke="{colour}" stroke-width="2"{dash}/>',
                  f'<text x="{WIDTH - RIGHT + 48}" y="{y}">{html.escape(name)}</text>']
    return "\n".join(parts + ["</svg>"])
