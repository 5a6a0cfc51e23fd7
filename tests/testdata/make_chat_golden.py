#!/usr/bin/env python3
"""Writes chat/chat_golden.json and chat/language_golden.json: what Python's Jinja2, set up as transformers sets it up,
makes of the templates in chat/ and of small pieces of the language. Needs the package jinja2."""

import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

FOLDER = pathlib.Path(__file__).parent / "chat"
DATE = "2024-07-26"


class Generation(jinja2.ext.Extension):
    """{% generation %}: marks the model's own words for training and changes no text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_keep")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _keep(self, caller):
        return caller()


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(form):
        return datetime.datetime.fromisoformat(DATE).strftime(form)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    return environment


def render(environment, source, variables):
    """The text, or None where Python raises."""
    try:
        text = environment.from_string(source).render(**variables)
        text.encode("utf-8")
        return text
    except Exception:
        return None


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather for a city; \"now\" & <soon>",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Name of the city, e.g. Zürich"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit", "default": "celsius"},
        "days": {"type": "array", "items": {"type": "integer"}, "description": "Days"}},
        "required": ["city"]}}}
CLOCK = {"type": "function", "function": {
    "name": "clock", "description": "Tells the time",
    "parameters": {"type": "object", "properties": {}}, "return": {"type": "string", "description": "The time"}}}

system = lambda text: {"role": "system", "content": text}
user = lambda text: {"role": "user", "content": text}
assistant = lambda text: {"role": "assistant", "content": text}


def call(name, arguments, **more):
    return {"role": "assistant", "content": more.pop("content", ""), "tool_calls": [
        {"id": "abcdef123", "type": "function", "function": {"name": name, "arguments": arguments}}], **more}


result = lambda text: {"role": "tool", "name": "get_weather", "content": text, "tool_call_id": "abcdef123"}

CONVERSATIONS = {
    "one question": ([user("Hello!")], {}),
    "no generation prompt": ([user("Hello!"), assistant("Hi there.")], {"add_generation_prompt": False}),
    "system": ([system("You are terse."), user("Who wrote Faust?")], {}),
    "several turns": ([system("Be kind."), user("1+1?"), assistant("2"), user("2+2?"), assistant("4"), user("3+3?")], {}),
    "unicode": ([system("Tu es poli — 你是一个助手."), user("Grüße 👋🏽 из Москвы\u00a0\u2028x"), assistant("ÅÄÖ ﬁ 𝔘"),
                 user("日本語?")], {}),
    "quotes and html": ([user("He said \"<b>it's</b>\" & left\\n\n\t{{ x }} {% if %} `c`")], {}),
    "blanks at the ends": ([system("  padded \n"), user("\n\n  hi  \t\n"), assistant(" \n yes \n "), user(" ok ")], {}),
    "empty content": ([system(""), user(""), assistant(""), user("")], {}),
    "roles do not alternate": ([user("a"), user("b")], {}),
    "begins with the assistant": ([assistant("I start."), user("fine")], {}),
    "tools": ([system("Use tools."), user("Weather in Zürich?")], {"tools": [WEATHER, CLOCK]}),
    "tool call and result": ([user("Weather in Zürich?"), call("get_weather", {"city": "Zürich", "days": [1, 2.5, None]}),
                              result("{\"temp\": 21.0}"), assistant("21 degrees."), user("Thanks <3")],
                             {"tools": [WEATHER]}),
    "two results": ([user("Weather?"), call("get_weather", {"city": "A \"b\" 'c'"}), result("sun"), result("rain")],
                    {"tools": [WEATHER]}),
    "arguments as text": ([user("Time?"), call("clock", "{\"zone\": \"utc\"}", content=None), result("12:00")], {}),
    "thinking": ([user("Why?"), assistant("<think>\nhmm, so\n</think>\n\nBecause."), user("Sure?"),
                  assistant("<think>\nyes\n</think>\n\nYes.")], {"extra": {"enable_thinking": True}}),
    "no thinking": ([system("Be quick. /no_think"), user("Why?")], {"extra": {"enable_thinking": False}}),
    "parts": ([system([{"type": "text", "text": "See."}]),
               user([{"type": "image"}, {"type": "text", "text": " What is this? "}])], {}),
    "no messages": ([], {}),
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 / 2
7 // 2
-7 // 2
-7 % 3
7 % -3
7.5 % 2
-7.5 // 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
1 / 0
1 // 0
1.0
1e3
1.5e-7
1e16
1e15
123456789.125
0.1 + 0.2
100 * 1.1
1_000
0x1F
0o17
0b101
"a" ~ 1 ~ none ~ true ~ 1.5
"a" + "b" * 3
"a" + 1
[1, 2] + [3]
[1] * 3
(1, 2) + (3,)
(1,)
()
[1, 'a', "it's", 'q"q', 'both\'"', none, true, 1.5, {'k': [1]}]
{'a': 1, 'b': {'c': 'd'}}
'tab\tnl\nbs\\ é 😀 \x07 \u200b'
['tab\tnl\nbs\\ é 😀 \x07 \u200b \xa0']
"a\qb \101 \x41 \u00e9 \U0001F600 \é"
'a' 'b'
1 < 2 < 3
1 < 2 > 5
1 == 1.0
true == 1
'a' < 'b'
'a' < 1
[1, 2] < [1, 3]
none == undefined_name
undefined_name == other_undefined
1 in [1, 2]
3 not in [1, 2]
'b' in 'abc'
'k' in {'k': 1}
1 in 'abc'
1 in undefined_name
not true
not not 1
1 and 0
0 or 'x'
'' or none
1 if true else 2
1 if false else 2
1 if false
'a' if undefined_name else 'b' if 0 else 'c'
undefined_name
undefined_name.x
undefined_name + 1
undefined_name()
{'a': 1}.a
{'a': 1}['a']
{'a': 1}.b
{'a': 1}.b.c
{'items': 1}['items']
{'get': 5}.get('get')
{'a': 1}.get('b', 2)
{'a': 1}.get('b')
{'a': 1, 'b': 2}.items() | list
{'a': 1, 'b': 2}.keys() | list
{'a': 1, 'b': 2}.values() | list
{1: 'one', none: 2, (1, 2): 3}[1]
{1: 'one'}[1.0]
{'a': 1, 'a': 2}
{'a': 1}.update({'b': 2})
[1].append(2)
[1, 2, 3][0]
[1, 2, 3][-1]
[1, 2, 3][9]
[1, 2, 3]['x']
[[1, 2], [3]].0.1
'hello'[1]
'héllo😀'[-1]
'héllo😀'[1:3]
'héllo😀'[::-1]
'hello'[::2]
'hello'[-3:-1]
'hello'[10:]
'hello'[:-10]
[1, 2, 3, 4, 5][::-1]
[1, 2, 3, 4, 5][3:0:-2]
[1, 2, 3, 4, 5][:2]
[1, 2, 3, 4, 5][-2:]
[1, 2, 3, 4, 5][::0]
(1, 2, 3)[1:]
none[0]
tools[0:1]
1|indent
undefined_name|indent
dict(undefined_name)
'a' % undefined_name
'é'|map(attribute='a')|list|length
1.x
'abc'.upper()
'ÀÉß straße ωΩ жЖ'.upper()
'ÀÉ ΩЖ İ'.lower()
'ab cd-ef'.title()
"they're bill's".title()
"they're bill's (x) a-b"|title
'hELLO wORLD'.capitalize()
'  x '.strip() ~ '|'
'xxabxx'.strip('x')
'xxabxx'.lstrip('x') ~ '|' ~ 'xxabxx'.rstrip('xb')
' \u3000\u00a0a\u2003'.strip() ~ '|'
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
'  a  b   c '.split()
'  a  b   c '.split(none, 1)
'  a  b   c '.rsplit(none, 1)
'abc'.split('')
'a\nb\r\nc\n'.splitlines()
'abcabc'.replace('b', 'X')
'abcabc'.replace('b', 'X', 1)
'abc'.replace('', '-')
'é😀'.replace('', '-', 2)
'abcabc'.find('c')
'é😀c'.find('c')
'abcabc'.rfind('c')
'abc'.find('z')
'abc'.index('z')
'abcabc'.count('bc')
'abc'.startswith('ab')
'abc'.startswith(('x', 'a'))
'abc'.endswith('bc')
', '.join(['a', 'b'])
', '.join([1])
'{} {}'.format(1, 'a')
'{0} {x} {{}}'.format(1, x=2)
'%s is %d and %.2f%%' % ('a', 3, 2.5)
'%5d|%-5d|%05d|%x' % (42, 42, 42, 255)
'%r' % ('a',)
'%s %s' % ('a',)
'abc'.isdigit() ~ '12'.isdigit() ~ 'ab'.isalpha() ~ 'AB'.isupper() ~ ' '.isspace()
'prefix-x'.removeprefix('prefix-') ~ 'x.txt'.removesuffix('.txt')
'abc'.nosuchmethod()
'  a '|trim ~ '|'
'xax'|trim('x')
none|trim
'abc'|length
'héllo😀'|length
[1, 2]|count
{'a': 1}|length
undefined_name|length
5|length
none|default('d')
undefined_name|default('d')
''|default('d', true)
''|d('d')
'abc'|upper|lower
[3, 1, 2]|sort
[3, 1, 2]|sort(reverse=true)
['b', 'A', 'c']|sort
['b', 'A', 'c']|sort(case_sensitive=true)
[{'n': 2}, {'n': 1}]|sort(attribute='n')
[1, 'a']|sort
[3, 1, 2]|max ~ [3, 1, 2]|min ~ [1, 2]|sum
[]|max
[{'n': 2}, {'n': 1}]|sum(attribute='n')
[{'n': 2}, {'n': 1}]|map(attribute='n')|join(',')
[{'n': {'m': [7]}}]|map(attribute='n.m.0')|list
[{'n': 2}, {}]|map(attribute='n', default=0)|list
['a', 'b']|map('upper')|list
[' a ']|map('trim')|list
[1, 2, 3, 4]|select('odd')|list
[1, 2, 3, 4]|reject('odd')|list
[0, 1, '', 'a']|select|list
[{'r': 'u'}, {'r': 's'}]|selectattr('r', 'equalto', 'u')|list
[{'r': 'u'}, {'r': 's'}]|rejectattr('r', 'equalto', 'u')|list
[{'r': 1}, {}]|selectattr('r')|list
[{'r': 1}, {}]|selectattr('r', 'defined')|list
[1, 2, 3]|select('greaterthan', 1)|list
[1, 2, 3]|select('in', [2, 3])|list
[1, 2]|select('nosuchtest')|list
[1, 2]|select('odd')|length
([1]|select('even')) and 'true'
[1, 1, 2, 'a', 'A']|unique|list
[1, 2, 3]|first ~ [1, 2, 3]|last ~ 'abc'|first ~ 'abc'|last
[]|first
[1, 2, 3]|reverse|list
'abc'|reverse
{'b': 1, 'a': 2}|dictsort
{'b': 1, 'a': 2}|dictsort(by='value')
{'b': 1, 'a': 2}|items|list
undefined_name|items|list
'abc'|list
none|list
[1, 2, 3, 4, 5]|batch(2)|list
[1, 2, 3]|batch(2, 'x')|list
[1, 'a', none]|join('-')
['a', 'b']|join
[{'a': 1}, {'a': 2}]|join(', ', attribute='a')
'42'|int ~ '4.7'|int ~ 'x'|int ~ 'x'|int(7) ~ 3.9|int
' 1_0 '|int ~ '0x1A'|int(0, 16)
'1.5'|float ~ 'x'|float ~ 2|float
undefined_name|int
-5|abs
(-5)|abs ~ (-1.5)|abs
2.5|round ~ 3.5|round ~ 2.675|round(2) ~ 42|round
2.1|round(0, 'ceil') ~ 2.9|round(method='floor') ~ 12.345|round(1, 'floor')
'a<b>&"\''|escape
('<'|safe) + '<'
('<'|e) ~ '<'
'<b>'|safe|e
'a\nb\n\nc'|indent
'a\nb\n\nc'|indent(2, true)
'a\nb\n\nc'|indent(2, blank=true)
'%s-%s'|format('a', 1)
'%(x)s'|format(x=1)
'abab'|replace('a', 'x')
'abab'|replace('a', 'x', 1)
'x'|string ~ 1|string ~ none|string
'x'|nosuchfilter
1 if true else ('x'|nosuchfilter)
{'a': [1, 2.0, none, true, "é\"\\\n\u2028</script>"], 'b': {}}|tojson
{'a': [1, {}], 'b': [], 'c': {'d': 1}}|tojson(indent=2)
{'b': 1, 'a': 'é😀'}|tojson(ensure_ascii=true, sort_keys=true)
{'b': 1, 'a': 2}|tojson(separators=(',', ':'))
{1: 1, none: 2, true: 3, 1.5: 4}|tojson
undefined_name|tojson
[1e100, 1e-7, 1.0, 5e-324]|tojson
'\x00\x1f\x7f'|tojson
(1, 2)|tojson
[1, [2]]|tojson(indent='\t')
1 is defined and undefined_name is undefined
none is none and none is not defined
1 is number and 1.5 is float and true is boolean and true is number
true is integer
'a' is string and [1] is iterable and 'a' is iterable and {} is mapping and () is sequence
1 is iterable
undefined_name is iterable
3 is odd and 4 is even and 9 is divisibleby 3 and 9 is divisibleby(3)
1 is eq 1 and 1 is equalto(1) and 1 is ne 2 and 1 is lt 2 and 2 is ge 2 and 1 is in [1]
true is true and false is false and 1 is not true
none is sameas none
'abc' is lower and 'ABC' is upper
range is callable
'upper' is filter and 'odd' is test and 'zzz' is not filter
1 is nosuchtest
'a' is string is true
not 1 is odd
1 is odd or false
range(5)|list
range(2, 10, 3)|list
range(5, 0, -2)|list
range(3)|sum
range(100001)|list
range(1, 2, 0)
dict(a=1, b=2)
dict([('a', 1)], b=2)
dict({'x': 1}, **{'y': 2})
namespace(a=1).a
strftime_now('%d %b %Y %m %B %H:%M:%S %y %A %a %I %p %%')
raise_exception('no')
cycler('a', 'b').next()
bool(1)
[1, 2, 3,]
{'a': 1,}
[1 2]
(1
1 +
'abc
"\u12"
a.b.c is defined
a is defined and a.b
x.y if x is defined else 'none'
[[], {}, '', 0, 0.0, none, false]|select|list
['x']|map(attribute='nope')|list
1|string + 'a'
-1|abs
1 ~ 2 + 3
'a' ~ 'b' == 'ab'
2 * 'ab'
[1,2] == [1,2] and {'a': 1} == {'a': 1.0} and (1,) != [1]
9223372036854775807
true + true
'é' < 'z'
[true, false, none]|string
messages[0].content
messages[0]['role'] ~ messages[-1].role
messages|map(attribute='role')|join(' ')
messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|last
messages[1:]|length
(messages|last).content|trim
messages|rejectattr('role', 'in', ['system'])|list|length
"__class__" in messages
''.__class__
messages.__len__
"".join(['a'] * 3)
"a" is in "abc"
none|tojson ~ true|tojson
{"a": none}.a is none
[1,2,3]|join(', ')|upper|replace(',', ';')
"%s" % none
"%d" % 'a'
[{'a': 'B'}, {'a': 'a'}]|sort(attribute='a')|map(attribute='a')|list
[{'a': 1, 'b': 2}, {'a': 1, 'b': 1}]|sort(attribute='a,b')|map(attribute='b')|list
"ab"|batch(1)|list
loop
'İI'|lower
[1.5, 2]|sum
'a b'|title|length
messages[0]|length
messages[0]|list
messages[0]|items|first
messages|first|tojson
'abc'[-10:2]
'abc'[5]|default('x')
"""

STATEMENTS = [
    "a\n", "a\n\n", "a\r\nb\rc", "", "\n", "{{ 1 }}\n", "{{ 1 }}\n\n",
    "{% if true %}\nx\n{% endif %}\ny", "  {% if true %}\n  x\n  {% endif %}\ny", "a  {% if true %}b{% endif %}  c",
    "  {{ 1 }}\n  {{ 2 }}", "  {{- 1 -}}  \n x", "a {%- if true -%} b {%- endif -%} c", "a\n {%+ if true %}b{% endif %}",
    "{% if true +%}\nb{% endif %}", "  {# c #}\nx", "x {#- c -#} y", "x\n  {# c #}  \ny", "{# a {{ b }} {% c %} #}z",
    "{# c +#}\nx", "a\n  {%- set x = 1 %}\nb", "a{% set x = 1 -%}\n\n  b", "\t{% set x = 1 %}\t\nb", " \u00a0{% set x = 1 %}b",
    "{% raw %}{{ x }} {% y %}{% endraw %}", "{% raw -%}  a  {%- endraw %} b", "  {% raw %}\n x\n  {% endraw %}\ny", "{% raw %}",
    "{{ '{{' }} {{ '}}' }} {{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}}}", "{{ '%}' }}{% set a = '%}' %}{{ a }}",
    "{% for i in [1,2,3] %}{{ i }}{% endfor %}", "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in [1] %}x{% else %}none{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in {'a': 1} %}{{ k }}{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}",
    "{% for c in 'aé😀' %}{{ c }}.{% endfor %}", "{% for i in 5 %}{% endfor %}", "{% for i in undefined_name %}x{% endfor %}", "{% for i in none %}x{% endfor %}",
    "{% for i in range(6) if i is odd %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for i in range(3) if i > 5 %}x{% else %}empty{% endfor %}",
    "{% for i in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }} {% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in [1,2] %}{{ loop.previtem is defined }}{% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1,1,2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for i in [1,2] %}{% for j in [1,2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% break %}", "{% for i in [1] %}{% endfor %}{{ i }}", "{#", "a\n{#", "{#-", "{% raw %}x",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = {} %}{% set ns.x = 1 %}",
    "{% set ns = namespace(a=1) %}{{ ns }}{{ ns.b is defined }}{{ ns['a'] }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set a, b = [1] %}",
    "{% set x %}a{{ 1 }}b{% endset %}{{ x }}|{{ x|length }}", "{% set x | upper | trim %} a {% endset %}[{{ x }}]", "{% set true = 1 %}", "{% set x.y.z = 1 %}",
    "{% if false %}{% set x = 1 %}{% endif %}{{ x is defined }}", "{% if true %}{% set x = 1 %}{% endif %}{{ x }}", "{% set messages = messages[1:] %}{{ messages|length }}",
    "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "{% if 0 %}a{% elif '' %}b{% else %}c{% endif %}", "{% if undefined_name %}a{% endif %}b", "{% if %}{% endif %}", "{% if 1 %}", "{% endif %}",
    "{% if 1 %}{% elif 1 %}{% else %}{% elif 1 %}{% endif %}", "{% if 1: %}x{% endif %}", "{% if false %}{{ 'x'|nosuchfilter }}{% endif %}ok", "{% if false %}{{ 1 is nosuchtest }}{% endif %}ok",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=4, a=5) }} {{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro f(n) %}{% if n %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", "{% macro m() %}{% set y = 1 %}{% endmacro %}{{ m() }}{{ y is defined }}",
    "{% macro m(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call m('b') %}x{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a + b }}{% endcall %}", "{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m(x) %}{{ x|upper }}{% endmacro %}{{ m('a') ~ m('b')|length }}", "{% macro m() %} a {% endmacro %}[{{ m() }}][{{ m()|trim }}]", "{% macro m(a) -%}\n  {{ a }}\n{%- endmacro -%}\n[{{ m('x') }}]",
    "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% filter trim | replace('a', 'b') %} aa {% endfilter %}|", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}",
    "{% generation %}x{% set y = 1 %}{% endgeneration %}{{ y is defined }}", "{% for i in [1,2] %}{% generation %}{{ i }}{% endgeneration %}{% endfor %}",
    "{% set j = joiner('; ') %}{% for i in [1,2,3] %}{{ j() }}{{ i }}{% endfor %}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}",
    "{% set g = [1,2]|select('odd') %}{{ g|list }}{{ g|list }}", "{% set r = [1,2]|reverse %}{{ r|list }}", "{% include 'x' %}", "{% nosuchstatement %}", "{{ x", "{% if x", "{# x", "{{ }}", "{% %}", "{{ 1 }} }} %} #}", "{ { 1 } }", "{{ 1 }}{",
    "{{ [1, 2\n, 3] }}\n{{ 'a\nb' }}", "{{ 'a\r\nb'|length }}", "{% for m in messages %}{{ m.role }}: {{ m['content'] }}\n{% endfor %}", "{%- for m in messages -%}\n  [{{ m.role }}]\n{%- endfor -%}",
    "{% for m in messages %}{{ loop.index }}{% if not loop.last %},{% endif %}{% endfor %}", "{% for m in messages[::-1] %}{{ m.role }} {% endfor %}", "{{ messages }}", "{{ messages|tojson }}", "{{ tools is none }}{{ tools }}{{ documents is defined }}",
    "{% set loop_messages = messages %}{% for m in loop_messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}x{% else %}y{% endif %}{% endfor %}", "{{ '%s' % messages[0].role }}", "{% for m in messages %}{% set role = m.role %}{% endfor %}{{ role is defined }}",
    "{{ 'a' if messages else 'b' }}{{ messages and 1 }}", "{% set x = [] %}{% set x = x + [1] %}{{ x }}", "{% set ns = namespace(l=[]) %}{% for i in range(3) %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}", "{{ range(3) is iterable }}{{ range is defined }}",
    "{% set x = {'a': 1} %}{% set y = dict(x, b=2) %}{{ y }}", "{% set s = 'x' %}{% for i in range(4) %}{% set s = s ~ s %}{% endfor %}{{ s }}", "{%- if true %} a {% else %} b {%- endif %} c", "x{%- raw %} a {% endraw -%} y", "{% if true %}  \n  a\n{% endif %}",
]


def main():
    environment = make_environment()
    cases = []
    for path in sorted(FOLDER.glob("*.jinja")):
        source = path.read_bytes().decode("utf-8")
        for name, (messages, options) in CONVERSATIONS.items():
            prompt = options.get("add_generation_prompt", True)
            variables = dict(messages=messages, tools=options.get("tools"), documents=None, add_generation_prompt=prompt,
                             bos_token="<s>", eos_token="</s>", **options.get("extra", {}))
            cases.append({"template": path.stem, "conversation": name, "text": render(environment, source, variables)})
    conversations = {name: {"messages": messages, "tools": options.get("tools"), "extra": options.get("extra"),
                            "add_generation_prompt": options.get("add_generation_prompt", True)}
                     for name, (messages, options) in CONVERSATIONS.items()}
    golden = {"date": DATE, "conversations": conversations, "cases": cases}
    (FOLDER / "chat_golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    messages = CONVERSATIONS["several turns"][0]
    variables = dict(messages=messages, tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")
    sources = ["{{ " + line + " }}" for line in EXPRESSIONS.strip("\n").split("\n")] + STATEMENTS
    snippets = [{"source": source, "text": render(environment, source, variables)} for source in sources]
    golden = {"date": DATE, "messages": messages, "snippets": snippets}
    (FOLDER / "language_golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print(len(cases), "renderings,", len(snippets), "snippets;",
          sum(case["text"] is None for case in cases), "and", sum(s["text"] is None for s in snippets), "are errors")


if __name__ == "__main__":
    main()
