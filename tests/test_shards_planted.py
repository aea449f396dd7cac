"""Bugs planted on purpose: for each there is a sentence of the contract that turns red.

A bug is one substitution in a script. A suite that lets it pass would let it pass when somebody writes it by mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from msgspec import structs
from redis.exceptions import ResponseError

from streampoll.errors import EntryError, RedisFull
from streampoll.model import QueueClass
from streampoll.shards import scripts
from streampoll.shards.outputs import RedisOutputStreams
from streampoll.shards.port import Settled
from streampoll.shards.streams import RedisStreams
from streampoll.shards.totals import Totals
from tests import shards_contract_control as controlling
from tests import shards_contract_devices as remembering
from tests import shards_contract_dispatch as dispatching
from tests import shards_contract_full as full
from tests import shards_contract_lease as leading
from tests import shards_contract_letters as lettering
from tests import shards_contract_recover as recovering
from tests import shards_contract_rows as joining
from tests import shards_contract_settle as settling
from tests import shards_contract_state as stating
from tests import test_metrics_totals as counting
from tests import test_outputs_streams as feeding
from tests.shards_support import Bench, Check, RedisBench

NEVER = "if false then"


@dataclass(frozen=True)
class Bug:
    """A mistake in a script, and the sentence that is not true any more."""

    script: str
    text: str
    mistake: str
    red: Check
    found: tuple[type[Exception], ...] = (AssertionError, RedisFull)

    def __str__(self) -> str:
        return f"{self.script}-{self.red.__name__}"


def on_totals(check: counting.Check) -> Check:
    """Hold a sentence about totals on a bench."""

    async def red(bench: Bench) -> None:
        assert isinstance(bench, RedisBench)
        await check(Totals(bench.topology, bench.keys))

    red.__name__ = check.__name__
    return red


def on_outputs(check: feeding.Check) -> Check:
    """Hold a sentence about the streams of outputs on a bench."""

    async def red(bench: Bench) -> None:
        assert isinstance(bench, RedisBench)
        await check(feeding.World(bench, RedisOutputStreams(bench.topology, bench.keys)))

    red.__name__ = check.__name__
    return red


HELD = "if not held then"
FINISH_HELD = "if not held or seen[id] then"
NO_MATTER_WHOSE = "held = held or { id, consumer, 0, 1 }\n  if seen[id] then"
OWN = ("id, id, 1, consumer)", "id, id, 1)")
EMIT = """for _, e in ipairs(emits) do
  redis.call('XADD', KEYS[tonumber(ARGV[e])], '*', 'v', '1', 'k', ARGV[e + 2], 'j', ARGV[e + 3], 's', ARGV[e + 4],
    'x', ARGV[e + 5], 'b', ARGV[e + 6])
  change(ARGV[e + 1], ARGV[e + 3], ARGV[e + 4], 1)
end
"""
WRITE = """for _, w in ipairs(writes) do
  redis.call('HSET', KEYS[tonumber(ARGV[w])], ARGV[w + 1], ARGV[w + 3])
end
"""
ACKNOWLEDGE = "for first = 1, count, 1000 do\n"
PUT_OFF = "put_off(KEYS[2], now_ms + tonumber(ARGV[i + 1]),"
SEEN = "redis.call('ZADD', once, 'NX', until_ms, member) == 1\nend"
FORGET = "  redis.call('ZREMRANGEBYSCORE', once, '-inf', now_ms)\n"

BUGS = [
    # the owner
    Bug("finish", FINISH_HELD, NO_MATTER_WHOSE, settling.a_stale_worker_finishes_nothing),
    Bug("finish", FINISH_HELD, NO_MATTER_WHOSE, settling.a_finish_sent_again_emits_nothing),
    Bug("finish", *OWN, settling.a_stale_worker_finishes_nothing),
    Bug("finish", FINISH_HELD, HELD, settling.an_entry_named_twice_is_finished_once),
    Bug("renew", *OWN, settling.a_stale_worker_steals_nothing_back_by_renewing),
    Bug("renew", HELD, NEVER, settling.a_stale_worker_steals_nothing_back_by_renewing),
    Bug("renew", "kept[#kept + 1] = 'JUSTID'", "", settling.a_renewal_does_not_count_as_a_delivery),
    Bug("renew", "if #kept > 0 then", NEVER, settling.a_renewed_entry_is_not_idle),
    Bug("retry", HELD, NEVER, settling.a_stale_worker_retries_nothing),
    Bug("retry", HELD, NEVER, settling.a_retry_sent_again_is_one_retry),
    Bug("release", *OWN, settling.a_stale_worker_releases_nothing),
    Bug("release", "'released', 0", "ARGV[2], 0", settling.a_release_sent_again_takes_back_one_delivery),
    Bug("release", "'released', 0", "ARGV[2], 0", settling.what_is_released_is_not_held_any_more),
    Bug("release", "'RETRYCOUNT',\n      math.max(held[4] - tonumber(ARGV[4]), 0), ", "",
        settling.a_released_entry_is_claimable_at_once_and_was_not_delivered),
    Bug("release", "'IDLE', ARGV[3], ", "",
        settling.a_released_entry_is_claimable_at_once_and_was_not_delivered),
    Bug("mark", HELD, NEVER, recovering.a_stale_worker_starts_nothing_in_quarantine),
    # the fleet's totals, and the outputs' streams
    Bug("tally", "if redis.call('GET', KEYS[2]) == ARGV[1] then", NEVER,
        on_totals(counting.a_batch_that_is_sent_again_counts_once)),
    Bug("tally", "redis.call('DEL', KEYS[1])", "", on_totals(counting.totals_that_went_back_begin_again_at_zero)),
    Bug("finish", "'MAXLEN', '~', ARGV[e + 5], ", "",
        on_outputs(feeding.where_more_is_kept_than_may_be_the_oldest_go_and_are_counted)),
    Bug("finish", "redis.call('HINCRBY', KEYS[to + 1], '#', 1)", "1",
        on_outputs(feeding.where_more_is_kept_than_may_be_the_oldest_go_and_are_counted)),
    Bug("follow", "if other and other ~= holder and tonumber(until_ms) > now_ms then", NEVER,
        on_outputs(feeding.what_one_reader_is_at_no_other_gets_until_its_time_is_over)),
    Bug("deliver", "if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then", NEVER,
        on_outputs(feeding.a_delivery_that_somebody_else_has_overtaken_changes_nothing)),
    Bug("deliver", "own_ms < ms or own_ms == ms and own_seq < seq", "own_ms > ms or own_ms == ms and own_seq > seq",
        on_outputs(feeding.what_all_outputs_have_is_deleted_and_no_more)),
    # what is left behind
    Bug("finish", "redis.call('XDEL', stream, unpack(ours, first, last))", "", settling.a_finish_deletes_and_emits),
    Bug("finish", "redis.call('XACK', stream, group, unpack(ours, first, last))", "",
        settling.a_finish_deletes_and_emits),
    Bug("finish", "redis.call('HDEL', KEYS[4], id)", "", recovering.who_survives_quarantine_is_not_remembered),
    Bug("finish", "unpack(fields, 1, math.min(#fields, 200))", "unpack(fields)", settling.garbage_can_be_buried,
        (ResponseError,)),
    Bug("retry", "redis.call('XDEL', KEYS[1], id)", "", settling.a_retried_entry_waits_until_it_is_due),
    Bug("retry", "redis.call('XACK', KEYS[1], ARGV[1], id)", "", settling.a_retry_sent_again_is_one_retry),
    Bug("retry", PUT_OFF, "put_off(KEYS[2], now_ms,", settling.a_retried_entry_waits_until_it_is_due),
    Bug("promote", "redis.call('ZREM', KEYS[1], member)", "", settling.a_due_entry_is_promoted_once),
    Bug("promote", "'-inf', now_ms,", "'-inf', '+inf',", settling.a_retried_entry_waits_until_it_is_due),
    Bug("retire", "consumer[4] == 0 and not live[consumer[2]] and consumer[6] > 60000", "not live[consumer[2]]",
        recovering.a_consumer_that_left_is_retired_but_never_with_work),
    # the counts
    Bug("finish", "change(group, job, slot, -1)", "", settling.what_is_finished_is_open_no_more),
    Bug("finish", "change(ARGV[e + 1], ARGV[e + 3], ARGV[e + 4], 1)", "", settling.an_emit_goes_to_its_own_class),
    Bug("finish", "change(class, job, slot, 1)", "", settling.what_is_finished_is_open_no_more),
    Bug("finish", "by) <= 0 then", "by) < 0 then", settling.counts_that_come_to_nothing_are_gone),
    # several results in one entry
    Bug("finish", "of_kind[job] = of_job", "", joining.results_of_one_slot_are_one_entry, (ValueError,)),
    Bug("finish", "newest[ARGV[e + 2]]", "newest.result",
        joining.rates_and_results_are_apart_also_where_a_job_is_called_rates),
    Bug("finish", "JOINED[class][ARGV[e + 2]], job", "'results', job",
        joining.rates_of_one_slot_are_one_entry_and_lone_ones_as_they_ever_were),
    Bug("finish", "ARGV[e + 2], job, slot, '0', group[3]", "'result', job, slot, '0', group[3]",
        joining.rates_of_one_slot_are_one_entry_and_lone_ones_as_they_ever_were),
    Bug("finish", "of_kind[job] = of_job", "setmetatable(of_kind, { __index = function() return of_job end })",
        joining.results_of_other_slots_and_jobs_are_apart),
    Bug("finish", "of_job[ARGV[e + 4]]\n  if", "(next(of_job) and of_job[next(of_job)])\n  if",
        joining.results_of_other_slots_and_jobs_are_apart),
    Bug("finish", FINISH_HELD, NO_MATTER_WHOSE, joining.what_is_not_ours_is_in_nobodys_entry),
    Bug("finish", "#group == 2 + MOST_ROWS or ", "", joining.an_entry_has_so_many_rows_at_the_most,
        (EntryError, ValueError)),
    Bug("finish", " or group[2] + #body > MOST_BYTES", "", joining.an_entry_is_of_so_many_bytes_at_the_most),
    Bug("finish", "if rows == 1 then", NEVER, joining.a_lone_result_is_an_entry_as_it_ever_was),
    Bug("finish", "if kinds then\n      add_joined(", "if false then\n      add_joined(",
        joining.other_kinds_keep_their_place),
    Bug("finish", "change(class, job, slot, 1)", "change(class, job, slot, rows)",
        joining.open_counts_entries_and_rows_are_counted_beside),
    Bug("finish", "analysis = { analyze = 'many_analyze' }", "analysis = {}",
        joining.what_is_to_be_analysed_of_one_slot_is_one_entry),
    Bug("finish", "change(class, job, slot, 1)", "change('results', job, slot, 1)",
        joining.what_is_to_be_analysed_of_one_slot_is_one_entry),
    Bug("finish", "(ARGV[e + 1] == 'analysis' and not of_job[ARGV[e + 4]])", "false",
        joining.a_devices_slots_are_analysed_in_the_order_they_came_in),
    Bug("finish", "change_rows(class, rows - 1)", "change_rows('results', rows - 1)",
        joining.rows_of_each_class_are_counted_by_themselves),
    Bug("finish", "change_rows(group, 1 - rows)", "change_rows('results', 1 - rows)",
        joining.rows_of_each_class_are_counted_by_themselves),
    Bug("finish", "change_rows(class, rows - 1)", "", joining.open_counts_entries_and_rows_are_counted_beside),
    Bug("finish", "change_rows(group, 1 - rows)", "", joining.rows_that_are_stored_are_counted_no_more),
    Bug("finish", "change_rows(group, 1 - rows)", "", joining.rows_that_are_buried_are_counted_no_more),
    Bug("dispatch", " + (redis.call('HGET', KEYS[4], 'results' .. MORE_ROWS) or 0)", "",
        joining.the_high_water_of_results_counts_rows),
    Bug("requeue", "if ARGV[9] ~= '0' then", NEVER, lettering.results_that_are_put_back_count_with_all_their_rows),
    Bug("reconcile", "if string.sub(field, 1, #class + 1) == class .. ':' then", NEVER,
        joining.rows_of_lost_entries_are_forgotten),
    Bug("reconcile", "redis.call('HSET', KEYS[2], class .. MORE_ROWS, left * (MOST_ROWS - 1))", "",
        joining.rows_that_an_older_release_ended_are_no_more_than_what_is_left_can_have),
    # records of state, and what is added later or once
    Bug("finish", "if version ~= ARGV[w + 2] then", NEVER,
        stating.a_record_that_has_changed_since_stops_everything_of_its_entry),
    Bug("finish", "versions[key .. ' ' .. name] or ", "", stating.writes_in_one_call_build_on_one_another),
    Bug("finish", "redis.call('HDEL', key, name)", "", stating.a_record_is_replaced_and_deleted),
    Bug("finish", "'XCLAIM', stream, group, 'released', 0, one[1], 'IDLE', 86400000, 'RETRYCOUNT', "
        "math.max(one[2] - 1, 0),\n    'JUSTID'", "'PING'",
        stating.what_was_stale_is_claimed_at_once_and_was_not_delivered,
        (AssertionError, ValueError)),
    Bug("finish", "'RETRYCOUNT', math.max(one[2] - 1, 0),\n    'JUSTID'", "'JUSTID'",
        stating.what_was_stale_is_claimed_at_once_and_was_not_delivered,
        (AssertionError, ValueError)),
    Bug("finish", SEEN, "true\nend", stating.what_has_a_key_is_added_once),
    Bug("finish", "if ms == '0' then", "if true then", stating.what_is_emitted_for_later_waits_among_the_delayed),
    Bug("add", SEEN, "true\nend", stating.what_has_a_key_is_added_once),
    Bug("add", FORGET, "", stating.a_key_is_forgotten_after_a_day, (AssertionError, ValueError)),
    Bug("add", "class .. ':' .. key", "key", stating.a_key_is_one_of_its_class),
    Bug("add", "if ARGV[2] == '0' then", "if true then", stating.what_is_added_for_later_waits_among_the_delayed),
    Bug("add", "redis.call('HINCRBY', KEYS[2], ARGV[1] .. ':' .. ARGV[i + 1] .. ':' .. ARGV[i + 2], 1)", "",
        dispatching.what_is_added_is_open_until_it_is_finished),
    Bug("figures", "queues[n] = { length, ", "queues[n] = { 0, ", dispatching.figures_tell_waiting_from_held),
    # one leader, one dispatch
    Bug("dispatch", "if stored_epoch and tonumber(stored_epoch) > tonumber(ARGV[1]) then", NEVER,
        dispatching.an_older_leader_is_fenced),
    Bug("dispatch", "redis.call('SET', KEYS[6], ARGV[1])", "", dispatching.an_older_leader_is_fenced),
    Bug("dispatch", "if stored ~= ARGV[3] then", NEVER, dispatching.a_dispatch_sent_again_is_done_already),
    Bug("dispatch", "if stored ~= ARGV[3] then", NEVER, dispatching.a_mark_that_is_not_the_expected_one_is_a_gap),
    Bug("dispatch", "redis.call('HSET', KEYS[5], job, ARGV[2])", "",
        dispatching.a_dispatch_sent_again_is_done_already),
    Bug("dispatch", "[1]) + 2 then", "[1]) + 1e9 then", dispatching.a_tick_ahead_of_redis_is_early),
    Bug("dispatch", "cause = 'backlog'", "cause = ''", dispatching.a_job_a_round_behind_is_skipped),
    Bug("dispatch", "cause = 'results'", "cause = ''", dispatching.results_over_their_high_water_skip_polls),
    Bug("fence", "redis.call('SET', KEYS[1], ARGV[1])", "",
        dispatching.a_leader_that_dispatched_nothing_yet_fences_the_older_ones),
    Bug("fence", "if stored and tonumber(stored) > tonumber(ARGV[1]) then", NEVER,
        dispatching.an_older_leader_fences_nobody),
    Bug("fence", "redis.call('DEL', KEYS[1])", "", full.a_full_redis_lets_a_new_leader_begin),
    Bug("lead", "if holder and holder ~= ARGV[1] then", NEVER,
        leading.the_first_to_ask_leads_and_the_other_does_not),
    Bug("lead", "math.max(now_ms, tonumber(ARGV[3]))", "now_ms", leading.an_epoch_is_above_that_of_every_shard),
    Bug("lead", "or ARGV[4] == '1'", "", leading.a_fenced_leader_takes_a_newer_epoch_and_goes_on),
    Bug("resign", "== ARGV[1] then", "~= '' then", leading.who_does_not_lead_can_resign_nothing),
    # data lost
    Bug("group", "'0', 'MKSTREAM'", "'$', 'MKSTREAM'", dispatching.a_first_read_makes_the_group_and_loses_nothing),
    Bug("sweep", "redis.call('XACK', KEYS[1], ARGV[1], held[1])", "",
        recovering.a_lost_payload_is_counted_and_forgotten),
    Bug("sweep", "return { cursor,", "return { '0-0',", recovering.a_sweep_goes_on_at_its_cursor),
    Bug("sweep", "looks = tonumber(ARGV[5]), 1000", "looks = tonumber(ARGV[5]), 10",
        recovering.a_sweep_that_may_claim_one_looks_at_many),
    Bug("sweep", "died = note and", "died = false and", recovering.who_died_in_quarantine_is_known),
    Bug("sweep", "' alone', 1, true) and 2", "' alone', 1, true) and 1", recovering.who_died_alone_is_known),
    Bug("mark", "ARGV[4] == '1' and", "true and", recovering.who_died_in_quarantine_is_known),
    Bug("mark", "ARGV[4] == '1' and", "false and", recovering.who_died_alone_is_known),
    Bug("adopt", "entry[1], entry[1], 1) == 0 then", "entry[1], entry[1], 1) >= 0 then",
        recovering.what_a_deleted_consumer_held_is_found_and_claimed),
    Bug("adopt", "ms > born or ms > read_ms or (ms == read_ms and seq > read_seq)", "ms > born",
        recovering.what_a_deleted_consumer_held_is_found_and_claimed),
    Bug("adopt", "'FORCE', ", "", recovering.what_a_deleted_consumer_held_is_found_and_claimed),
    Bug("beat", "< now_ms - 60000", "< 0",
        leading.who_is_silent_for_a_minute_is_forgotten),
    # what operators ask
    Bug("run", "if last + 2 > tonumber(ARGV[2]) then", NEVER, controlling.a_job_is_run_once_in_two_seconds),
    Bug("pauses", "redis.call('DEL', KEYS[1])", "", controlling.what_is_paused_stands_in_the_place_of_what_was),
    Bug("depths", "return group[6]", "return 0", controlling.depths_are_those_of_the_figures),
    Bug("briefs", "'GETRANGE', key", "'GETRANGE', KEYS[1]", controlling.briefs_are_of_the_worker_that_was_asked_for),
    # dead letters
    Bug("requeue", "if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then", NEVER,
        lettering.a_letter_is_put_back_once_and_is_open_again),
    Bug("requeue", "redis.call('HINCRBY', KEYS[3], ARGV[1] .. ':' .. job .. ':' .. slot, 1)", "",
        lettering.a_letter_is_put_back_once_and_is_open_again),
    Bug("reconcile", "redis.call('XLEN', KEYS[1 + 2 * n]) + ", "",
        recovering.what_is_in_flight_or_delayed_is_no_ghost),
    Bug("reconcile", " + redis.call('ZCARD', KEYS[2 + 2 * n])", "",
        recovering.what_is_in_flight_or_delayed_is_no_ghost),
    Bug("reconcile", "redis.call('HDEL', KEYS[1], open[i])", "",
        recovering.what_is_left_open_of_a_lost_payload_is_found_and_forgotten),
    Bug("reconcile", "redis.call('HDEL', KEYS[2], field)", "",
        recovering.what_is_left_open_of_a_lost_payload_is_found_and_forgotten),
    Bug("purge", "count = count + redis.call('XDEL'", "count = count + redis.call('XACK'",
        lettering.a_purge_counts_what_was_there, (AssertionError, ResponseError)),
    Bug("letters", "'COUNT', ARGV[2]", "'COUNT', 1", lettering.letters_are_read_page_by_page),
    # records of devices
    Bug("remember", """if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])""", """if ARGV[i + 1] == '' then
    redis.call('HSET', KEYS[1], ARGV[i], '')""", remembering.a_device_that_is_ordinary_again_leaves_nothing),
    Bug("remember", "redis.call('HLEN', KEYS[1]) > most then", "false then",
        remembering.there_is_room_for_so_many_and_no_more),
    # over maxmemory
    Bug("finish", ACKNOWLEDGE, EMIT + ACKNOWLEDGE, full.a_full_redis_lets_work_be_finished),
    Bug("finish", ACKNOWLEDGE, WRITE + ACKNOWLEDGE, full.a_full_redis_lets_records_be_written,
        (RedisFull, ResponseError)),
    Bug("retry", "redis.call('XACK', KEYS[1], ARGV[1], id)", "redis.call('HSET', KEYS[3], id, '')",
        full.a_full_redis_lets_work_be_put_off_and_taken_up),
    Bug("beat", "redis.call('HDEL', KEYS[1], ARGV[1])", "", full.a_full_redis_still_has_homes),
    Bug("lead", "redis.call('DEL', KEYS[1])", "", full.a_full_redis_still_has_a_leader),
    Bug("mark", "redis.call('HDEL', KEYS[2], ARGV[3])", "", full.a_full_redis_lets_an_entry_run_in_quarantine),
    Bug("group", "redis.call('XACK', KEYS[1], ARGV[1], '0-0')", "",
        full.a_full_redis_lets_results_be_read_that_nobody_read_before),
]  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_a_planted_bug_is_found(bug: Bug, fresh_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = scripts.SCRIPTS[bug.script]
    assert script.count(bug.text) == 1, f"{bug.script}.lua has changed: {bug.text!r} is not in it once"
    monkeypatch.setitem(scripts.SCRIPTS, bug.script, script.replace(bug.text, bug.mistake))

    async with RedisBench(fresh_redis) as bench:
        with pytest.raises(bug.found):
            await bug.red(bench)


def test_every_script_has_a_bug_planted_in_it() -> None:
    assert {bug.script for bug in BUGS} == set(scripts.SCRIPTS)


class TwoCalls(RedisStreams):
    """The mistake of the peers: what comes of an entry is added in one call, the entry finished in another."""

    async def finish(
        self, queue: QueueClass, consumer: str, settled: Mapping[int, Sequence[Settled]]
    ) -> frozenset[tuple[int, bytes]]:
        for shard, items in settled.items():
            for item in items:
                for target, entry in item.emits:
                    await self.add(target, shard, [entry])
        bare = {shard: [structs.replace(item, emits=()) for item in items] for shard, items in settled.items()}
        return await super().finish(queue, consumer, bare)


@pytest.mark.parametrize(
    "red",
    [
        settling.a_stale_worker_finishes_nothing,
        settling.a_finish_sent_again_emits_nothing,
        settling.a_poll_that_everybody_finishes_emits_once,
        full.a_full_redis_lets_work_be_finished,
    ],
)
async def test_emitting_in_a_call_of_its_own_is_found(red: Check, fresh_redis: str) -> None:
    async with RedisBench(fresh_redis) as bench:
        bench.streams.__class__ = TwoCalls
        with pytest.raises((AssertionError, RedisFull)):
            await red(bench)
