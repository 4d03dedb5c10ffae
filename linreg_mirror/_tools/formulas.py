"""Formulas as statements have them, in ASCII, set in HTML: x^2, b_inf, exp(-4A), |x|_1 <= sqrt(n), x = m*w.

Words stay words. What is not known to be a formula stays as it is written.
"""

import html
import re

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eps": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "psi": "ψ", "omega": "ω",
}  # fmt: skip
_SIGNS = {"inf": "∞", "int": "∫", "grad": "∇", "prod": "∏"}
_NAMES = {"max", "min", "argmin", "argmax", "log", "ln", "Cov", "Var", "SNIP"}  # words that can have an index
# Two letters that are a word or a name; all others are products or differentials, such as Xx and dt.
_WORDS = frozenset(
    {"an", "as", "at", "be", "by", "do", "go", "if", "in", "is", "it", "no", "of", "on", "or", "so", "to", "up", "us"}
    | {"we", "ln", "tr", "GD", "PL", "KL", "CV", "HC", "th", "vs"}
)
_OPERATORS = {
    "<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "=>": "⇒", "<-": "←", "+/-": "±", "+-": "±", "...": "…",
}  # fmt: skip
MINUS = "\N{MINUS SIGN}"
_PLAIN = 3  # powers of ten that are written out
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:e([+-]?\d+)(?!\w))?")
_INNER = re.compile(r"<(?![=\-\s])([^<>]*,[^<>]*)(?<![=\-\s])>")  # an inner product, not an inequality
_PROSE_SUM = re.compile(r"\b(?:the|a|same|their|its|whose)\s+$")


def to_html(text: str) -> str:
    """Return a sentence with formulas as HTML that needs nothing else.

    Parameters
    ----------
    text : str
        ASCII: ^ and _ raise and lower what follows, a number, a letter, a word or a pair of brackets; ' is a transpose
        or a derivative, x* an optimum, m*w a product entry by entry, <x, y> an inner product.

    Returns
    -------
    str
        Escaped; Greek letters, signs, `sup`, `sub`, `i` for variables, `code` for names of code.
    """
    return _Setter(_INNER.sub("\N{MATHEMATICAL LEFT ANGLE BRACKET}\\1\N{MATHEMATICAL RIGHT ANGLE BRACKET}", text)).all()


class _Setter:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def all(self) -> str:
        parts = []
        while self.at < len(self.text):
            parts.append(self._next())
        return "".join(parts)

    def _peek(self, step: int = 0) -> str:
        place = self.at + step
        return self.text[place] if 0 <= place < len(self.text) else " "

    def _next(self) -> str:
        character = self._peek()
        if character.isalpha() and character.isascii():
            return self._word()
        if character.isdigit():
            return self._number()
        if character in "^_":
            return self._script()
        if character == "*":
            return self._star()
        if character == "~" and self._peek(-1).isalpha():
            self.at += 1
            return "\N{COMBINING TILDE}"
        if character == "'" and self._is_prime():
            self.at += 1
            return "\N{PRIME}"
        for ascii, sign in _OPERATORS.items():
            if self.text.startswith(ascii, self.at):
                self.at += len(ascii)
                return sign
        self.at += 1
        if character == "-" and self._is_minus():
            return MINUS
        return html.escape(character, quote=False)

    def _word(self) -> str:
        letters = _match(r"[A-Za-z]+", self.text, self.at)
        if not (_is_symbol(letters) or letters == "sum") and (
            name := _match(r"[A-Za-z]+(?:_[A-Za-z]\w*)+", self.text, self.at)
        ):
            self.at += len(name)
            return f"<code>{name}</code>"
        if letters in ("exp", "sqrt") and (found := self._function(letters)):
            return found
        before = self.text[: self.at]
        self.at += len(letters)
        if letters in _GREEK:
            return self._signed(_GREEK[letters])
        if letters in _SIGNS and (letters != "grad" or _match(r" [A-Za-z]", self.text, self.at)):
            return _SIGNS[letters] + self._swallowed(letters)
        if letters == "sum" and not (_PROSE_SUM.search(before) or _match(r" off?\b|[.,;:]|$", self.text, self.at, "?")):
            return "∑" + self._swallowed(letters)
        if letters == "L" and self._peek().isdigit():
            return letters  # L1 and L2 are names of norms
        if letters == "s" and self._peek(-2) == "'" and _match_before(r"[A-Za-z]{3,}'$", before):
            return letters
        if len(letters) == 1 and not self._is_article(letters, before):
            if self._peek() == "0" and not self._peek(1).isalnum():  # u0 is u_0
                self.at += 1
                more = self._index_after_zero()
                return f"<i>{letters}</i><sub>0{more}</sub>"
            return self._signed(letters)
        if len(letters) == 2 and _is_symbol(letters) and letters not in _NAMES:
            return f"<i>{letters}</i>"
        return letters

    def _swallowed(self, letters: str) -> str:
        """After a sign of one letter a thin space is enough."""
        if letters != "inf" and self._peek() == " " and (self._peek(1).isalnum() or self._peek(1) in "|[("):
            self.at += 1
            return "" if letters == "grad" else "\N{THIN SPACE}"
        return ""

    def _index_after_zero(self) -> str:
        found = _match(r"_[A-Za-z0-9]", self.text, self.at)
        self.at += len(found)
        return f",<i>{found[1]}</i>" if found else ""

    def _signed(self, name: str) -> str:
        """Return a variable; rho+ and p- are names where nothing follows that could be added."""
        sign = _match(r"[+-](?=[\^),\]=:;]| =|$)", self.text, self.at)
        if not sign:
            return f"<i>{name}</i>"
        self.at += 1
        signed = f"<i>{name}</i><sup>{'+' if sign == '+' else MINUS}</sup>"
        return f"({signed})" if self._peek() == "^" else signed

    def _function(self, name: str) -> str:
        """Return exp(...) as a power of e, sqrt(...) as a root; nothing where brackets are missing."""
        start = self.at + len(name)
        end = _end(self.text, start)
        if end is None:
            if name == "sqrt" and (number := _match(r" (?:\d+|[a-z])\b", self.text, start)):
                self.at = start + len(number)
                return f"√{to_html(number.strip())}"
            return ""
        inside = self.text[start + 1 : end - 1]
        if name == "exp" and (len(inside) > 40 or "exp" in inside or "sum" in inside):
            return ""
        self.at = end
        return f"<i>e</i><sup>{to_html(inside)}</sup>" if name == "exp" else f"√({to_html(inside)})"

    def _number(self) -> str:
        found = _NUMBER.match(self.text, self.at)
        assert found is not None  # it begins with a digit
        self.at = found.end()
        digits, exponent = found.groups()
        if exponent is None:
            return digits
        if abs(int(exponent)) <= _PLAIN:
            return f"{float(found[0]):.{_PLAIN + len(digits)}g}".replace("-", MINUS)
        power = f"10<sup>{exponent[0].replace('-', MINUS).strip('+')}{exponent[1:].lstrip('0')}</sup>"
        return power if digits == "1" else f"{digits}·{power}"

    def _script(self) -> str:
        mark, after = self._peek(), self.at + 1
        found = self._argument(after)
        if found is None or self._peek(-1).isspace():
            self.at += 1
            return mark
        inside, self.at = found
        tag = "sup" if mark == "^" else "sub"
        return f"<{tag}>{inside}</{tag}>"

    def _argument(self, start: int) -> tuple[str, int] | None:
        """Return what is raised or lowered, as HTML, and where it ends."""
        sign = _match(r"[+-](?=[\w(])|[+-]", self.text, start)
        if sign == "+" or (sign == "-" and not _match(r"[\w(]", self.text, start + 1)):
            return ("+" if sign == "+" else MINUS), start + 1
        head, at = (MINUS if sign else ""), start + len(sign)
        end = _end(self.text, at) if self.text[at : at + 1] in ("(", "{") else None
        if end is not None:
            return head + to_html(self.text[at + 1 : end - 1]), end
        atom = _match(r"\d+(?:\.\d+)?|[A-Za-z]+\d*(?:,[A-Za-z](?![A-Za-z]))?", self.text, at)
        if not atom:
            return None
        at, inside = at + len(atom), head + to_html(atom)
        if self.text[at : at + 1] == "_" and (found := self._argument(at + 1)):  # R_b_inf is R of b_inf
            return f"{inside}<sub>{found[0]}</sub>", found[1]
        return inside, at

    def _star(self) -> str:
        before, after = self._peek(-1), self._peek(1)
        self.at += 1
        product = (after.isalnum() or after == "(") if not before.isspace() else after.isspace()
        if product:
            return "⊙"
        return "*" if before.isspace() else "<sup>*</sup>"

    def _is_prime(self) -> bool:
        before = _match_before(r"[A-Za-z]+$", self.text[: self.at])
        if before:
            return len(before) <= 2 or before in _GREEK
        return self._peek(-1) in ")]}~*'_" or self._peek(-1).isdigit()

    def _is_minus(self) -> bool:
        """Whether the hyphen that was just passed is a minus, not one between words."""
        before, after = self.text[: self.at - 1], self.text[self.at :]
        left, right = _match_before(r"[A-Za-z]+$", before), _match(r"[A-Za-z]+", after, 0)
        if not left and right in ("log", "exp", "sum", "sign"):
            return True
        return all(not word or _is_symbol(word) for word in (left, right))

    def _is_article(self, letter: str, before: str) -> bool:
        if letter not in "aA" or (before and not before[-1].isspace()):
            return False
        word = _match(r" ([a-z]{2,})", self.text, self.at).strip()
        return bool(word) and word not in _GREEK


def _is_symbol(word: str) -> bool:
    """Whether letters are a variable, a product or the name of a function, not a word."""
    if word in _GREEK or word in _SIGNS or word in _NAMES:
        return True
    return len(word) == 1 or (len(word) == 2 and word not in _WORDS and word.lower() not in _WORDS)


def _match(pattern: str, text: str, at: int, empty: str = "") -> str:
    found = re.compile(pattern).match(text, at)
    return (found[0] or empty) if found else ""


def _match_before(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _end(text: str, start: int) -> int | None:
    """Return where the bracket that opens here ends; None if none does, or it stays open."""
    if text[start : start + 1] not in _CLOSING or not text[start : start + 1]:
        return None
    opening, depth = text[start], 0
    for place in range(start, len(text)):
        depth += (text[place] == opening) - (text[place] == _CLOSING[opening])
        if depth == 0:
            return place + 1
    return None
