"""What came of an import, as lines for a terminal."""

from collections.abc import Iterator, Mapping

from webapp.importer.results import ImportProblem, ImportResult
from webapp.profiles.store import ProfileState
from webapp.runs.progress import PROBLEMS
from webapp.runs.showing import counts_of

SHOWN_PROBLEMS = 20


def summary_lines(result: ImportResult) -> Iterator[str]:
    """Yield a table of the counts, the problems by their reasons, the first of them, and the newest profiles."""
    counts = [
        ("Read", result.read),
        ("  Invalid", result.invalid),
        ("  Of other databases", result.elsewhere),
        ("  Unchanged since the last import", result.unchanged),
        ("  Checked", result.checked),
        ("    Created", result.states[ProfileState.CREATED]),
        ("    Updated", result.states[ProfileState.MODIFIED]),
        ("    Unchanged", result.states[ProfileState.UNCHANGED]),
        ("    Not found", result.states[ProfileState.NOTFOUND]),
        ("    Skipped for consent", result.states[ProfileState.CONSENT_MISMATCH]),
    ]
    yield from (_line(name, count) for name, count in counts)
    if result.problem_count:
        yield ""
        yield _line("Problems", result.problem_count.total())
        for reason, count in result.problem_count.most_common():
            yield f"  {count:>8,} x {reason}"
        yield ""
        yield from (f"  {_told(problem)}" for problem in result.problems[:SHOWN_PROBLEMS])
        if (hidden := result.problem_count.total() - SHOWN_PROBLEMS) > 0:
            yield f"  and {hidden:,} more"
    if result.newest:
        yield ""
        yield "Created or updated last"
        yield from (f"  {profile_id}" for profile_id in result.newest)


def count_lines(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a table of the counts of a run, in the order of its page."""
    yield from (_line(each.words, each.count) for each in counts_of(counts))
    if problems := counts.get(PROBLEMS, 0):
        yield _line("Problems", problems)


def _line(name: str, count: int) -> str:
    return f"{name:36}{count:>12,}"


def _told(problem: ImportProblem) -> str:
    field = f", {problem.auth0_field}" if problem.auth0_field else ""
    return f"line {problem.line:,}{field}: {problem.reason}"
