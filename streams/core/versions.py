"""The versions of the rules that a worker knows, and the one that is in force for what comes."""

from __future__ import annotations

from streams.core.rules import Rules, RulesError, load_rules

__all__ = ["UnknownVersionError", "Versions"]


class UnknownVersionError(LookupError):
    """Something was judged by a version of the rules that cannot be had; the message says which, and what to do."""


class Versions:
    """Versions by their names. A text is read when it is first needed: most are history."""

    def __init__(self, *read: Rules) -> None:
        """`read`: versions that are known from the start, the last one in force."""
        self._texts: dict[str, str] = {}
        self._read = {one.version: one for one in read}
        self.current: Rules | None = read[-1] if read else None

    def __contains__(self, version: object) -> bool:
        return version in self._read or version in self._texts

    def add(self, version: str, text: str) -> None:
        """Take note of a version. One that was read stays as it was read: whatever it judged, it judges alike again."""
        self._texts[version] = text

    def of(self, version: str) -> Rules:
        """Return a version, read and checked.

        Raises:
            UnknownVersionError: it is not there, or is no rules that this software understands.
        """
        if version not in self._read:
            if version not in self._texts:
                raise UnknownVersionError(
                    f"the topic rules does not hold version {version[:12]}, by which mentions were judged: restore it"
                )
            try:
                rules = load_rules(self._texts[version], where=f"rules {version[:12]}")
            except RulesError as refused:
                raise UnknownVersionError(
                    f"version {version[:12]} of the rules is refused: run the software that published it. {refused}"
                ) from refused
            if rules.version != version:
                raise UnknownVersionError(
                    f"what the topic rules holds as version {version[:12]} is {rules.version[:12]}"
                )
            self._read[version] = rules
        return self._read[version]

    def put_in_force(self, version: str) -> None:
        """Judge what comes by this version.

        Raises:
            UnknownVersionError: it cannot be had; what was in force stays so.
        """
        self.current = self.of(version)
