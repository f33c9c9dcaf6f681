"""Faults made by hand, each with the promise it breaks. A suite that lets one pass is too weak."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """Replace `snippet`, which is in `file` exactly once, and `promise` is broken."""

    promise: str
    file: str
    snippet: str
    fault: str
    dear: bool = False
    """It is tried in every run of the tests; the others only by `make soak`."""


MUTANTS = (
    Mutant(
        "request numbers are the worker's own",
        "engine.py",
        "if request <= self.last:",
        "if request == 0:",
        dear=True,
    ),
    Mutant(
        "a child of nobody ends on arrival",
        "engine.py",
        "if elder is None or elder.phase is not RUNNING:",
        "if elder is None:",
        dear=True,
    ),
    Mutant(
        "a child lives no longer than its parent",
        "engine.py",
        "deadline = min(deadline, elder.deadline)",
        "pass",
    ),
    Mutant(
        "the end of a parent ends its children",
        "engine.py",
        "            self.end_children(ticket.id, out)\n\n    def end_children",
        "\n    def end_children",
    ),
    Mutant(
        "a parent that is tried again has new children",
        "engine.py",
        "self.end_children(ticket.id, out)  # whoever",
        "pass  # whoever",
    ),
    Mutant(
        "a stale answer is nobody's",
        "engine.py",
        "if not call.recalled:  # else it is in",
        "if True:  # else it is in",
        dear=True,
    ),
    Mutant(
        "an answer is settled once",
        "engine.py",
        "if ticket.phase is RUNNING:\n                    out.append(Settle",
        "if ticket.phase in (RUNNING, LEAVING):\n                    out.append(Settle",
    ),
    Mutant(
        "an ending is settled once",
        "engine.py",
        "        if before is LEAVING:\n            return\n",
        "",
        dear=True,
    ),
    Mutant(
        "a slot is owned until the replica gives it up",
        "engine.py",
        "        if copy.state is State.GONE:",
        "        copy.held -= 1\n        if copy.state is State.GONE:",
    ),
    Mutant(
        "whoever left while SENT still owns its place in the call",
        "engine.py",
        "        copy = call.copy\n        if copy.state",
        "        copy = call.copy\n        call.claimed or call.tickets.remove(ticket)\n"
        "        if copy.state",
        dear=True,
    ),
    Mutant(
        "what a dead replica had not begun goes elsewhere",
        "engine.py",
        "        self._take_back([call for call in calls if call.serial > claimed], out)\n",
        "",
        dear=True,
    ),
    Mutant(
        "what a dead replica had begun is tried again",
        "engine.py",
        "            if call.serial <= claimed:\n",
        "            if False:\n",
    ),
    Mutant(
        "nobody is told to stop who is dead",
        "engine.py",
        "if copy.state is State.GONE:",
        "if False:",
    ),
    Mutant(
        "the alarm is set for deadlines",
        "deadlines.py",
        'return self.heap[0][0] if self.heap else float("inf")',
        'return float("inf")',
    ),
    Mutant(
        "the driver is told of the alarm",
        "engine.py",
        "            out.append(WakeAt(self.alarm))",
        "            pass",
    ),
    Mutant(
        "whoever is late is told so",
        "deadlines.py",
        "while self.heap and self.heap[0][0] <= now:",
        "while self.heap and self.heap[0][0] < now:",
        dear=True,
    ),
    Mutant(
        "who is late is not sent, however idle the replica",
        "engine.py",
        "if len(pool.waiting) == 1 and now < deadline and",
        "if len(pool.waiting) == 1 and",
    ),
    Mutant(
        "ended requests do not pile up among the deadlines",
        "deadlines.py",
        "if len(self.heap) > self.most:",
        "if False:",
    ),
    Mutant(
        "the eldest of a batch waits no longer than it may",
        "engine.py",
        "self._wake(again_at)",
        "pass",
    ),
    Mutant(
        "the time when a busy replica opens is not slept through",
        "engine.py",
        "self._wake(routing.opens_at(copies, now))\n                return\n            copy,",
        "return\n            copy,",
    ),
    Mutant(
        "what waits behind a call that overruns is taken back",
        "engine.py",
        "            if now >= when:\n",
        "            if False:\n",
    ),
    Mutant(
        "a recall is lifted when all is handed over",
        "engine.py",
        "if not copy.calls or next(reversed(copy.calls)) < copy.recalled_from:",
        "if not copy.calls:",
    ),
    Mutant(
        "nothing is sent to a replica that still has to hand calls over",
        "routing.py",
        "copy.state is READY and not copy.recalled_from",
        "copy.state is READY",
    ),
    Mutant(
        "serials count up",
        "engine.py",
        "            copy.recalled_from = NONE\n",
        "            copy.recalled_from = NONE\n            copy.serial = 0\n",
    ),
    Mutant(
        "who leaves while it waits behind a call is stopped when that call begins",
        "engine.py",
        "out.append(stopping.stop(call, ticket))\n            ticket.phase = after_claim",
        "pass\n            ticket.phase = after_claim",
    ),
    Mutant(
        "nothing is started once the replicas are sent away",
        "engine.py",
        "                pool.restarts.clear()",
        "                pass",
    ),
    Mutant(
        "what runs may still ask while the server drains",
        "engine.py",
        "draining = parent is None and",
        "draining =",
    ),
    Mutant(
        "a batch is never too large",
        "sending.py",
        "return 0 if calls else size",
        "return 0 if calls else size + 1",
    ),
    Mutant(
        "slots are a bound",
        "sending.py",
        "policy.slots - copy.held",
        "policy.slots",
        dear=True,
    ),
    Mutant(
        "nothing is sent to a replica that overruns",
        "sending.py",
        " <= now < copy.since + first_s + OVERRUN_S",
        " <= now",
    ),
    Mutant(
        "a replica has one suspect at a time",
        "sending.py",
        "        poison.is_suspect(call.tickets[0].deaths)\n",
        "        False\n",
    ),
    Mutant(
        "the queue's bound counts what was sent and not begun",
        "records.py",
        "len(self.waiting) + len(self.suspects) + self.sent",
        "len(self.waiting) + len(self.suspects)",
    ),
    Mutant(
        "the queue's bound counts what is taken back once",
        "records.py",
        "        else:\n            self.pool.sent -= len(call.tickets)\n",
        "",
    ),
    Mutant(
        "whoever comes back stands where its age puts it",
        "queueing.py",
        "front = sorted([*elder, *back], reverse=True)",
        "front = sorted(back, reverse=True)",
    ),
    Mutant(
        "a suspect is tried once more, not twice",
        "poison.py",
        "CRASHES = 2",
        "CRASHES = 3",
    ),
    Mutant(
        "crashes and kills are counted apart",
        "poison.py",
        "crashes < CRASHES and len(deaths) - crashes < KILLS",
        "len(deaths) < (CRASHES if crashes else KILLS)",
    ),
    Mutant(
        "what a leaf was sent by guess can come back",
        "phases.py",
        "    (Phase.RUNNING, Step.RETURN): Phase.WAITING,\n",
        "",
    ),
    Mutant(
        "a rate is measured over the last seconds",
        "flow.py",
        "            if idle:\n",
        "            if False:\n",
    ),
    Mutant(
        "a shutdown is hurried, never put off",
        "draining.py",
        "min(self.grace_s, now - self.since + grace_s)",
        "now - self.since + grace_s",
    ),
    Mutant(
        "Drained is said once",
        "fleet.py",
        "if before < Stage.DONE <= stage:",
        "if stage is Stage.DONE:",
    ),
    Mutant(
        "a body that a replica began is queued no more",
        "records.py",
        "            self.queued_bytes -= ticket.size_bytes",
        "            pass",
        dear=True,
    ),
    Mutant(
        "a body that waits again counts again",
        "queueing.py",
        "        ticket.pool.queued_bytes += ticket.size_bytes",
        "        pass",
    ),
    Mutant(
        "a body whose request is dropped is queued no more",
        "queueing.py",
        "    ticket.pool.queued_bytes -= ticket.size_bytes",
        "    pass",
    ),
    Mutant(
        "the queue's bound in bytes holds",
        "admission.py",
        "held + size_bytes > pool.policy.max_queued_bytes",
        "size_bytes > pool.policy.max_queued_bytes",
    ),
    Mutant(
        "a body on its way counts",
        "admission.py",
        "pool.queued_bytes + pool.coming_bytes",
        "pool.queued_bytes",
    ),
    Mutant(
        "a crowd that comes back together is waited for",
        "gathering.py",
        "return until if missing >= FEWEST and pays else now",
        "return now",
    ),
    Mutant(
        "nobody is waited for where it does not pay",
        "gathering.py",
        "pays = missing * returns.horizon_s > MARGIN * waiting * left_s",
        "pays = True",
    ),
    Mutant(
        "a crowd that has left is not waited for",
        "gathering.py",
        "return (0, until) if until > now else (count, now)",
        "return 0, until",
    ),
    Mutant(
        "a stream that has begun is not run again",
        "engine.py",
        "retry_on_crash and not ticket.streamed",
        "retry_on_crash",
        dear=True,
    ),
    Mutant(
        "a stream's deadline moves with its parts",
        "streaming.py",
        "    ticket.expect_part(ticket.latest, now)",
        "    pass",
    ),
    Mutant(
        "a stream ends by its own deadline all the same",
        "records.py",
        "latest, min(latest, now + idle_s)",
        "latest, now + idle_s",
    ),
    Mutant(
        "a deadline that moved is looked at again",
        "deadlines.py",
        "                heappush(self.heap, (ticket.deadline, ticket.id))",
        "                pass",
    ),
    Mutant(
        "a part of nobody's answer is nobody's",
        "streaming.py",
        "return ticket if ticket.phase is RUNNING else None",
        "return ticket",
    ),
    Mutant(
        "a reader that takes parts gets credit",
        "credit.py",
        "return 0 if taken < PORTION else taken",
        "return 0",
    ),
    Mutant(
        "batches stay small where they gain nothing",
        "sizing.py",
        "most = min(most, max(1, round(b / (WASTE * a))))",
        "pass",
    ),
    Mutant(
        "a target for the latency bounds a batch",
        "sizing.py",
        "most = min(most, fitting(a, b, policy.latency_target_s / 2, most))",
        "pass",
    ),
    Mutant(
        "larger batches are tried now and then",
        "sizing.py",
        "most = min(policy.max_size, 2 * most)",
        "pass",
    ),
    Mutant(
        "what calls cost may change",
        "batching.py",
        "if n and self.calls - seen < STALE_CALLS]",
        "if n]",
    ),
    Mutant(
        "a call that nobody waits for is interrupted",
        "stopping.py",
        "                out.append(Interrupt(call.copy.id, call.serial))",
        "                pass",
    ),
    Mutant(
        "a call that somebody waits for is not interrupted",
        "stopping.py",
        "all(each.phase is LEAVING for each in call.tickets)",
        "any(each.phase is LEAVING for each in call.tickets)",
        dear=True,
    ),
    Mutant(
        "a call is interrupted once",
        "stopping.py",
        "if call.overdue_at == inf:",
        "if True:",
    ),
    Mutant(
        "what may not be interrupted is left alone",
        "stopping.py",
        "if call.copy.pool.policy.cancel_grace_s is not None:",
        "if True:",
    ),
    Mutant(
        "one replica at a time is replaced",
        "stopping.py",
        "return there >= copy.pool.policy.replicas",
        "return True",
        dear=True,
    ),
    Mutant(
        "no replica is replaced that somebody needs",
        "stopping.py",
        "State.QUITTING or is_wanted(copy)",
        "State.QUITTING",
        dear=True,
    ),
    Mutant(
        "a replica is not replaced for less time than it takes to load",
        "stopping.py",
        "max(copy.pool.policy.cancel_grace_s or 0.0, copy.ready_at - copy.started_at)",
        "copy.pool.policy.cancel_grace_s or 0.0",
    ),
    Mutant(
        "a replica that hangs is replaced",
        "stopping.py",
        "        if may_replace(copy):",
        "        if False:",
    ),
    Mutant(
        "a replica that hangs no more gets calls again",
        "stopping.py",
        "if hangs(copy, now) else State.READY",
        "if hangs(copy, now) else copy.state",
    ),
    Mutant(
        "what is ended for hanging has a successor",
        "fleet.py",
        "            pool.restarts.append(now)  # no fault",
        "            pass  # no fault",
    ),
    Mutant(
        "the time when a call is overdue is not slept through",
        "engine.py",
        "self._wake(stopping.look_after(pool, now, out))",
        "stopping.look_after(pool, now, out)",
    ),
    Mutant(
        "whoever left is told at the end of the turn",
        "engine.py",
        "if rang or pool.given_up:",
        "if rang:",
    ),
    Mutant(
        "a call that was cut short teaches no pace",
        "engine.py",
        "if not call.given_up:  # cut short",
        "if True:  # cut short",
    ),
)
