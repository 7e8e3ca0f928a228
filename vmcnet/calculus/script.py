"""Python functions that are written while the program runs."""

from __future__ import annotations


class Script:
    """A Python function written line by line, and the objects that its lines name."""

    def __init__(self, **names):
        self._lines, self._names, self._indent = [], names, ""

    def name(self, thing):
        """A name of an object."""
        known = f"n{len(self._names)}"
        self._names[known] = thing
        return known

    def line(self, text):
        self._lines.append(self._indent + text)

    def define(self, head):
        """A function inside, which the lines that follow are those of."""
        self.line(f"def {head}:")
        self._indent += " "

    def end(self, result):
        """The last line of the innermost function."""
        self.line(f"return {result}")
        self._indent = self._indent[:-1]

    def call(self, rule, arguments, static, more=()):
        """rule(xp, arguments, static, more), the arguments and more being source already."""
        words = [f"{key}={self.name(value)}" for key, value in static.items()]
        return f"{self.name(rule)}({', '.join(['xp', *arguments, *words, *more])})"

    def forget(self, names):
        if names:
            self.line(f"{' = '.join(names)} = None")

    def function(self, name):
        exec(compile("\n".join(self._lines), f"<{name}>", "exec"), self._names)
        return self._names[name]
