"""Is this the same person, and the same door? Strict on purpose: a truck must not be sent to a stranger.

A wrong no makes a duplicate customer, which the office can merge; a wrong yes sends the visit to somebody
else. So only spelling is forgiven: case, accents, punctuation, and the usual abbreviations of a street.
"""

import re
import unicodedata

LONGEST = 1_000
"""Characters of a name or a street that are looked at: ServiceTitan's rows have no bound of their own."""
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr"})
_UNITS = frozenset({"apt", "apartment", "unit", "suite", "ste", "no", "number"})
_SHORT = {
    "avenue": "ave",
    "boulevard": "blvd",
    "circle": "cir",
    "court": "ct",
    "drive": "dr",
    "highway": "hwy",
    "lane": "ln",
    "parkway": "pkwy",
    "place": "pl",
    "road": "rd",
    "square": "sq",
    "street": "st",
    "terrace": "ter",
    "trail": "trl",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}


def same_name(one: str, other: str) -> bool:
    """Whether two names are one person's: the same words in any order ("Smith, John"), titles left out."""
    words = _name_words(one)
    return bool(words) and words == _name_words(other)


def same_phone(one: str, other: str) -> bool:
    """Whether two numbers are one: the same digits, the country code of North America left out."""
    digits = national(one)
    return bool(digits) and digits == national(other)


def national(phone: str) -> str:
    """The ten digits of a North American number, else all digits: what is stored and searched.

    Whether ServiceTitan's filter asks for equality, digits or a part is unconfirmed; the ten digits are
    found under each of the three when they are stored like this, and under two however they are stored.
    """
    digits = "".join(filter(str.isdecimal, phone))
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def same_address(street: str, zip_code: str, other_street: str, other_zip: str) -> bool:
    """Whether two addresses are one door: the same street, number and unit, and the same five ZIP digits."""
    here = _street_words(street)
    return bool(here) and here == _street_words(other_street) and zip_code[:5] == other_zip[:5]


def _words(text: str) -> list[str]:
    joined = re.sub("['\N{RIGHT SINGLE QUOTATION MARK}]", "", text[:LONGEST])
    plain = unicodedata.normalize("NFKD", joined)
    bare = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return re.findall(r"\w+", bare)


def _name_words(name: str) -> list[str]:
    return sorted(word for word in _words(name) if word not in _TITLES)


def _street_words(street: str) -> list[str]:
    marked = street.replace("#", " unit ")
    words = [_SHORT.get(word, word) for word in _words(marked)]
    units = ["unit" if word in _UNITS else word for word in words]
    return [word for at, word in enumerate(units) if word != "unit" or units[at - 1 : at] != ["unit"]]
