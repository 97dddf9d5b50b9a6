"""Asking for a unit of work: what the journal knows is not asked again, what is answered goes into it at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from clsp.captions.budget import FailureBudget
from clsp.captions.client import Answered, ChatClient, ChatRequest, Reply, Usable
from clsp.storage.journal import Journal


@dataclass(frozen=True)
class Hearing:
    """Who is asked, what was answered before, and how much may fail."""

    client: ChatClient
    journal: Journal
    budget: FailureBudget

    def ask(self, unit: str, requests: Sequence[ChatRequest], usable: Usable = bool) -> dict[str, Reply]:
        """Replies by id; ids must name what is asked, so that an earlier answer to one is an answer to it."""
        wanted = {request.id for request in requests}
        noted = [Answered(**record) for record in self.journal.read(unit)] if wanted else []
        known: dict[str, Reply] = {answer.id: answer for answer in noted if answer.id in wanted}
        self.budget.resume(answers=len(known), failures=0)
        fresh = [request for request in requests if request.id not in known]
        with self.budget.asking():
            replies = self.client.ask(fresh, usable, lambda answer: self.journal.note(unit, asdict(answer)))
        return known | {reply.id: reply for reply in replies}
