"""Which commands only read. A profile with any other is refused when it is compiled, unless it says `allow_config`.

Words are compared whole and as written: no abbreviations, no second command on the line, no redirection, and after a
pipe only filters. It errs towards refusing; what it is there for is the slip of the pen, and the profile of somebody
else.
"""

import re
from typing import Final

from streampoll.ssh.platforms import Platform

_WRITERS: Final = ("append", "redirect", "save", "tee", "vsh", "sh", "bash")
_TAKES_REGEX: Final = ("include", "exclude", "begin", "section", "match", "except", "grep", "egrep", "find")
_SEPARATORS: Final = re.compile(r"[\x00-\x1f\x7f;&<>`]|\$\(|\bfile=")
_PLAIN: Final = re.compile(r"[\w-]+")
_CHOICE: Final = re.compile(r"\d{1,3}|\x1b")


def why_refused(platform: Platform, line: str) -> str:
    """Return why a command may change something, "" if it can't."""
    if platform.name == "menu":
        return "" if _CHOICE.fullmatch(line) else "a menu is walked by numbers and Escape (\\u001b)"
    if found := _SEPARATORS.search(line):
        return f"it has {found[0]!r} in it"
    head, *stages = line.split("|")
    words = head.split()
    reads = any(words[: len(read.split())] == read.split() for read in platform.reads)
    if not reads and " ".join(words) not in platform.exactly:
        return f"commands of {platform.name} that only read begin with {', '.join(platform.reads)}"
    return _why_pipe_refused(platform, stages)


def _why_pipe_refused(platform: Platform, stages: list[str]) -> str:
    """Return why one of the stages after a pipe may write."""
    before = ""
    for stage in stages:
        words = stage.split()
        word = words[0] if words else ""
        alternative = before in _TAKES_REGEX and _is_alternative(stage, words)
        if any(writer.startswith(word.lower()) for writer in _WRITERS) or not (word in platform.pipes or alternative):
            return f"after a pipe it may have {', '.join(platform.pipes) or 'nothing'}, not {word!r}"
        before = before if alternative else word
    return ""


def _is_alternative(stage: str, words: list[str]) -> bool:
    """Tell a regex's alternative, as in "include a|b", from a further command: that has a name and arguments."""
    return bool(words) and stage[0] != " " and (len(words) == 1 or not _PLAIN.fullmatch(words[0]))
