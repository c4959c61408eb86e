"""Every fault that Regsight is tested against: what is done, and which tests do it.

A test is `path::function`; those outside of this folder exist for reasons of their own and are run with all faults too.
"""

from __future__ import annotations

from dataclasses import dataclass

HERE = "tests/faults"
TAIL = "tests/collector/sources/test_file_tail.py"
ROTATION = "tests/collector/sources/test_file_tail_rotation.py"
FOLLOWING = "tests/collector/sources/test_file_tail_following.py"
HOSTILE = "tests/collector/formats/test_hostile.py"
SYSLOG = "tests/collector/sources/test_syslog.py"
SPOOL = "tests/collector/sources/test_syslog_spool.py"
WEBHOOK = "tests/collector/sources/test_webhook.py"
SENDERS = "tests/collector/sources/test_webhook_senders.py"
OBJECTS = "tests/collector/sources/test_objects_in_s3.py"
NOTIFY = "tests/alerts/test_notify.py"
MESSAGE = "tests/alerts/test_message.py"
POLICY = "tests/alerts/test_policy.py"
EMBEDDED = "tests/store/test_embedded.py"
ELASTIC = "tests/store/test_elastic.py"
DAMAGE = "tests/store/test_damage.py"
CLUSTER = f"{HERE}/test_elasticsearch_cluster.py"
ELASTIC_DISK = f"{HERE}/test_elasticsearch_disk.py"
INPUT = f"{HERE}/test_input.py"
LATE = f"{HERE}/test_late.py"
NETWORK = f"{HERE}/test_network_files.py"
SETTINGS = f"{HERE}/test_settings.py"
KILL = "tests/flow/test_kill.py"


@dataclass(frozen=True, slots=True)
class Fault:
    """`not_covered`: what of it no test does; empty where all is done."""

    id: str
    what: str
    tests: tuple[str, ...] = ()
    not_covered: str = ""


FAULTS = (
    Fault(
        "F01",
        "rename and create, 20 times at speed, the old file written on",
        (
            f"{HERE}/test_rotation.py::test_rename_and_create_at_speed",
            f"{ROTATION}::test_rotation_at_any_moment_loses_and_doubles_nothing",
        ),
    ),
    Fault(
        "F02",
        "rename and create while stopped: 1, 3, 10 generations; some of them deleted",
        (
            f"{HERE}/test_rotation.py::test_rotation_while_the_collector_is_stopped",
            f"{HERE}/test_rotation.py::test_generations_that_are_gone_are_named",
        ),
    ),
    Fault("F03", "copytruncate, writer appends", (f"{HERE}/test_rotation.py::test_copytruncate_with_append",)),
    Fault(
        "F04",
        "copytruncate, writer goes on at its old offset",
        (f"{HERE}/test_rotation.py::test_copytruncate_without_append",),
    ),
    Fault("F05", "copytruncate across a restart", (f"{HERE}/test_rotation.py::test_copytruncate_across_a_restart",)),
    Fault(
        "F06",
        "truncation to a smaller size, growth past the old offset between two looks",
        (f"{HERE}/test_rotation.py::test_truncation_to_less_and_past_the_old_offset",),
    ),
    Fault(
        "F07", "rotated and compressed at once, gzip and zstd", (f"{HERE}/test_archives.py::test_compressed_at_once",)
    ),
    Fault(
        "F08",
        "gzip that is still written, that breaks off, of several members",
        (
            f"{HERE}/test_archives.py::test_an_archive_that_is_still_written",
            f"{HERE}/test_archives.py::test_an_archive_that_breaks_off",
            "tests/collector/test_compressed.py::test_damage_is_told_and_what_is_whole_is_read",
        ),
    ),
    Fault("F09", "inode given out again", (f"{HERE}/test_identity.py::test_an_inode_that_is_given_out_again",)),
    Fault(
        "F10",
        "two files with the same first 4 KiB",
        (
            f"{HERE}/test_identity.py::test_two_files_with_the_same_beginning",
            f"{TAIL}::test_two_files_with_one_beginning_are_both_read",
        ),
    ),
    Fault(
        "F11",
        "files of 0 … 1,025 bytes, growing by one byte",
        (f"{HERE}/test_lines.py::test_growing_by_one_byte", f"{TAIL}::test_no_file_is_too_small"),
    ),
    Fault(
        "F12",
        "link pointed elsewhere 30 times, dangling, looping",
        (f"{HERE}/test_identity.py::test_a_link_that_is_pointed_elsewhere",),
    ),
    Fault(
        "F13",
        "file and folder deleted, created again; rights taken and given back",
        (
            f"{HERE}/test_identity.py::test_deleted_while_it_is_read",
            f"{HERE}/test_identity.py::test_rights_that_are_taken_and_given_back",
        ),
    ),
    Fault(
        "F14",
        "network file system: no notice, coarse times, size before data, stale handles",
        (
            f"{NETWORK}::test_a_network_file_system",
            f"{NETWORK}::test_a_file_that_goes_stale_unread",
            f"{HERE}/test_identity.py::test_size_before_data",
            f"{FOLLOWING}::test_zeros_at_the_end_are_read_again",
        ),
        "a file system of our own that behaves so (FUSE), not NFS itself",
    ),
    Fault(
        "F15", "half a line: slowly written, at a stop, never finished", (f"{HERE}/test_lines.py::test_half_a_line",)
    ),
    Fault("F16", "CRLF, lone CR, empty lines, BOM, UTF-16", (f"{HERE}/test_lines.py::test_line_ends",)),
    Fault(
        "F17",
        "invalid UTF-8, NUL, escape codes, U+2028",
        (
            f"{HERE}/test_lines.py::test_bytes_that_are_no_text",
            f"{HOSTILE}::test_odd_bytes_anywhere_in_a_line",
            "tests/regsight/test_terminal.py::test_nothing_that_moves_a_cursor_is_printed",
        ),
    ),
    Fault(
        "F18",
        "lines of 64 KiB … 1 GiB",
        (f"{HERE}/test_lines.py::test_lines_without_end", f"{TAIL}::test_a_line_without_end_is_one_short_block"),
    ),
    Fault(
        "F19",
        "JSON of depth 10,000, absurd numbers, 100,000 keys, keys that are there twice",
        (
            f"{HOSTILE}::test_deep_nesting_and_absurd_numbers",
            f"{INPUT}::test_a_document_of_100_000_keys",
            f"{INPUT}::test_a_key_that_is_there_twice",
        ),
    ),
    Fault(
        "F20",
        "`kill -9` at 200 moments, 50 of them with Elasticsearch",
        (
            f"{HERE}/test_crash.py::test_kill_at_any_moment",
            f"{HERE}/test_short_lives.py::test_each_life_moves_on",
            f"{HERE}/test_short_lives.py::test_killed_between_rows_and_position",
            f"{KILL}::test_kill_at_any_moment_on_delta",
            f"{KILL}::test_kill_at_any_moment_on_elasticsearch",
            f"{EMBEDDED}::test_a_killed_writer_leaves_rows_and_position_together",
        ),
    ),
    Fault(
        "F21",
        "power cut: writes lost, renames in another order",
        (f"{HERE}/test_power.py::test_power_cut",),
        "on ext4; a disk that forgets what it has confirmed",
    ),
    Fault(
        "F22",
        "records empty, cut, of a newer release, of another account; positions gone, strange, of the future",
        (
            f"{HERE}/test_crash.py::test_a_store_that_cannot_be_trusted",
            f"{HERE}/test_crash.py::test_a_store_of_somebody_else",
            f"{ELASTIC_DISK}::test_a_position_that_cannot_be_trusted",
        ),
    ),
    Fault(
        "F23",
        "disk full, here and under Elasticsearch",
        (
            f"{HERE}/test_crash.py::test_a_disk_that_is_full",
            f"{ELASTIC_DISK}::test_a_server_whose_disk_is_full",
        ),
    ),
    Fault(
        "F24",
        "200 files under a limit of 100 descriptors",
        (f"{HERE}/test_crash.py::test_few_descriptors", f"{FOLLOWING}::test_many_files_need_few_descriptors"),
    ),
    Fault(
        "F25",
        "Elasticsearch answers 429, to requests and to items",
        (
            f"{HERE}/test_elasticsearch.py::test_too_many_requests",
            f"{ELASTIC}::test_each_status_is_told_as_what_it_means",
        ),
    ),
    Fault(
        "F26",
        "Elasticsearch 503, refused, reset, slow, hanging",
        (
            f"{HERE}/test_elasticsearch.py::test_a_server_that_breaks_off",
            f"{ELASTIC}::test_a_server_that_stops_answering_or_dies_loses_nothing",
            f"{CLUSTER}::test_the_node_with_the_primary_dies_and_shards_move",
            f"{CLUSTER}::test_a_rolling_restart",
            f"{CLUSTER}::test_a_certificate_that_expires",
        ),
    ),
    Fault(
        "F27",
        "Elasticsearch's answer is lost",
        (
            f"{HERE}/test_elasticsearch.py::test_an_answer_that_is_lost",
            f"{CLUSTER}::test_lost_answers_and_refusals_in_front_of_the_cluster",
        ),
    ),
    Fault(
        "F28",
        "mapping conflict of one item, index read-only or closed, wrong credentials",
        (
            f"{HERE}/test_elasticsearch.py::test_one_item_that_never_fits",
            f"{HERE}/test_elasticsearch.py::test_an_index_that_is_read_only",
            f"{HERE}/test_elasticsearch.py::test_wrong_credentials",
            f"{ELASTIC}::test_an_event_that_never_fits_is_a_dead_letter_and_the_others_go_on",
            f"{ELASTIC_DISK}::test_a_closed_index",
            f"{CLUSTER}::test_flood_stage",
            f"{CLUSTER}::test_a_shut_door_ends_the_run_with_its_cause",
        ),
    ),
    Fault(
        "F29",
        "part of a bulk refused",
        (
            f"{HERE}/test_elasticsearch.py::test_one_of_many_fails_for_a_while",
            f"{CLUSTER}::test_an_item_that_never_fits",
        ),
    ),
    Fault(
        "F30",
        "everything once more, two patterns for one file, two collectors on it",
        (
            f"{HERE}/test_again.py::test_replay_two_patterns_two_collectors",
            f"{EMBEDDED}::test_two_who_read_one_stream_count_it_once",
        ),
    ),
    Fault(
        "F31",
        "the machine's clock is set back and forward, leap second, odd dates",
        (f"{LATE}::test_a_clock_that_is_set", f"{HOSTILE}::test_times_far_away"),
    ),
    Fault(
        "F32",
        "late and shuffled events",
        (
            f"{LATE}::test_late_events_are_counted_as_if_they_had_been_in_time",
            f"{POLICY}::test_history_wakes_nobody",
            f"{POLICY}::test_a_long_standstill_loses_nothing",
        ),
    ),
    Fault(
        "F33",
        "CloudTrail: a file twice, an event in two files, SQS redelivery, refusals of S3",
        (
            f"{OBJECTS}::test_a_queue_tells_of_objects",
            f"{OBJECTS}::test_a_message_is_deleted_only_after_the_commit",
            f"{OBJECTS}::test_refusals_name_the_place_and_no_secret",
        ),
    ),
    Fault(
        "F34",
        "webhooks: burst, slow clients, wrong proof, replay, 10 MB, crash after 200",
        (
            f"{HERE}/test_receivers.py::test_a_burst_of_webhooks_and_a_crash",
            f"{HERE}/test_receivers.py::test_clients_that_send_slowly",
            f"{WEBHOOK}::test_200_means_stored",
            f"{WEBHOOK}::test_strangers_are_refused_and_counted",
            f"{SENDERS}::test_githubs_signature_and_its_repetition",
        ),
    ),
    Fault(
        "F35",
        "syslog: frames cut and joined, both framings, half a frame at the end",
        (
            f"{SYSLOG}::test_both_framings_however_packets_cut_them",
            f"{SYSLOG}::test_half_a_message_at_the_end_is_a_dead_letter",
            f"{SPOOL}::test_a_killed_collector_loses_nothing_that_it_had_received",
        ),
    ),
    Fault(
        "F36",
        "settings read anew: sources added, renamed, changed, taken away; settings that cannot be used",
        (f"{SETTINGS}::test_sources_that_come_go_and_change", f"{SETTINGS}::test_a_log_format_that_changes"),
    ),
    Fault(
        "F37",
        "SIGTERM while storing, twice",
        (
            f"{HERE}/test_crash.py::test_sigterm_while_it_stores",
            "tests/collector/test_pipeline.py::test_stop_does_not_wait_for_a_dead_store",
        ),
    ),
    Fault(
        "F38",
        "missed runs, runs that overrun their next, two processes, failing jobs",
        (
            f"{HERE}/test_receivers.py::test_a_job_runs_once_whoever_is_there",
            "tests/regsight/test_timetable.py::test_every_missed_report_is_made_good_in_order",
            "tests/regsight/test_timetable.py::test_only_the_holder_of_the_lease_runs_jobs",
            f"{LATE}::test_a_run_that_overruns_its_next",
        ),
    ),
    Fault(
        "F39",
        "notifier: 429, 500, away, killed between sending and recording",
        (
            f"{NOTIFY}::test_a_receiver_that_was_down_gets_it_when_it_is_back",
            f"{NOTIFY}::test_retry_after_is_honoured",
            f"{NOTIFY}::test_a_kill_between_sending_and_marking_repeats_at_most_one",
        ),
    ),
    Fault(
        "F40",
        "10 M distinct repository names in the metrics",
        (f"{INPUT}::test_distinct_names_are_in_no_metric", f"{INPUT}::test_a_scrape_during_a_burst"),
    ),
    Fault(
        "F41",
        "markup, formulas, escape codes in names",
        (
            f"{MESSAGE}::test_hostile_names_do_nothing_in_html",
            f"{MESSAGE}::test_hostile_names_do_nothing_in_plain_text",
            f"{MESSAGE}::test_no_name_can_draw_anything_in_markdown",
            "tests/regsight/test_terminal.py::test_nothing_that_moves_a_cursor_is_printed",
        ),
    ),
    Fault(
        "F42",
        "regular expression bombs",
        (
            f"{INPUT}::test_no_expression_takes_more_than_linear_time",
            f"{HOSTILE}::test_a_line_of_ten_mebibytes",
        ),
    ),
    Fault(
        "F43",
        "a file of the store is cut, its log or its records are broken, its records are locked",
        (
            f"{HERE}/test_crash.py::test_a_cut_file_of_the_store",
            f"{HERE}/test_crash.py::test_a_byte_that_changed",
            f"{EMBEDDED}::test_a_cut_file_is_named_and_not_passed_over",
            f"{DAMAGE}::test_a_file_is_named_left_out_and_taken_out",
            f"{DAMAGE}::test_a_file_that_rots_is_found_by_reading_it",
            f"{DAMAGE}::test_a_log_entry_is_written_anew",
            f"{DAMAGE}::test_a_locked_file_says_who_may_hold_it",
            f"{DAMAGE}::test_broken_records_are_carried_over",
        ),
    ),
    Fault(
        "F44",
        "soak with random faults",
        (f"{HERE}/test_soak.py::test_soak", f"{HERE}/test_soak.py::test_soak_on_elasticsearch"),
    ),
)
