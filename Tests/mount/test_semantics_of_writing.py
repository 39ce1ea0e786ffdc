"""docs/SEMANTICS.md, "Writing": each sentence that ends with (WN) is held by the tests named here."""

import importlib
import re

from localhub import REPOSITORY

TESTS = {
    1: ["test_editing.test_what_was_written_is_there_after_a_kill"],
    2: [
        "test_editing.test_modes_times_links_attributes_and_empty_directories_survive_a_remount",
    ],
    3: [
        "test_editing.test_changing_four_bytes_of_a_large_file_fetches_nothing",
        "test_editing.test_cutting_and_growing_a_large_file_fetches_nothing",
    ],
    4: [
        "test_editing.test_renaming_and_copying_a_large_file_fetches_nothing",
        "test_editing.test_renaming_a_directory_lists_nothing",
    ],
    5: [
        "test_editing.test_a_file_lives_on_without_its_name_while_it_is_open",
        "test_editing.test_renaming_over_an_open_file_leaves_the_handle_its_bytes",
    ],
    6: ["test_editing.test_rename_noreplace_and_exchange"],
    7: [
        "test_editing.test_hard_links_are_refused_with_eperm",
        "test_editing.test_nameless_files_are_refused_with_eopnotsupp",
    ],
    8: ["test_editing.test_attributes_of_the_system_are_refused_and_hubfs_own_are_fixed"],
    9: ["test_editing.test_a_full_disk_is_enospc_and_costs_nothing_else"],
    10: [
        "test_editing.test_appends_of_several_processes_all_arrive",
        "test_editing.test_locks_work_between_processes",
    ],
    11: ["test_editing.test_a_listing_goes_on_as_it_began_while_names_change"],
    12: ["test_editing.test_inode_numbers_are_the_same_after_a_remount"],
    13: [
        "test_editing.test_a_second_writable_mount_is_refused_and_names_the_first",
        "test_editing.test_another_workspace_has_other_edits",
    ],
    14: ["test_editing.test_the_workspace_is_its_owners_alone"],
    15: ["test_rebase.test_one_unmount_is_one_commit"],
    16: [
        "test_rebase.test_a_commit_goes_on_top_of_a_foreign_one",
        "test_rebase.test_a_conflict_sends_nothing_and_keeps_both_sides",
    ],
    17: [
        "test_power_cut.test_a_power_cut_leaves_an_allowed_state",
        "test_power_cut.test_a_commit_that_is_cut_off_anywhere_is_one_commit",
    ],
    18: ["test_power_cut.test_an_ordinary_unmount_puts_everything_on_disk"],
    19: [
        "test_conflicts.test_a_conflict_is_known_after_a_remount",
        "test_conflicts.test_both_changed_theirs_is_taken_and_ours_is_kept_beside",
        "test_conflicts.test_what_is_left_undecided_is_not_committed",
    ],
    20: [
        "test_conflicts.test_an_edit_that_was_not_in_the_commit_never_hides_theirs",
        "test_conflicts.test_what_a_program_may_still_write_to_is_not_taken_from_it_by_a_commit",
    ],
    21: [
        "test_conflicts.test_open_handles_keep_their_bytes",
        "test_conflicts.test_what_is_open_for_writing_is_not_changed",
        "test_rebase.test_pull_names_what_is_in_its_way_and_moves_nothing",
    ],
    22: [
        "test_partial_commits.test_both_ends_of_a_rename",
        "test_partial_commits.test_a_renamed_folder_goes_as_a_whole",
        "test_partial_commits.test_a_removed_folder",
        "test_partial_commits.test_files_and_folders",
    ],
    23: [
        "test_commit.test_what_was_done_is_one_commit",
        "test_rebase.test_edits_are_committed_by_themselves_once_nobody_writes",
    ],
    24: [
        "test_discarding.test_the_named_paths_are_the_bases_again_and_no_other",
        "test_discarding.test_a_reader_keeps_its_bytes_and_a_writer_keeps_everything",
    ],
    25: [
        "test_lost_base.test_edits_go_on_on_the_squashed_head",
        "test_lost_base.test_others_changed_edited_paths_before_the_squash",
        "test_lost_base.test_what_was_removed_cannot_be_compared",
    ],
    26: [
        "test_altered_commits.test_it_is_decided_like_a_conflict",
        "test_altered_commits.test_the_next_commit_overwrites_nothing_unasked",
    ],
    27: [
        "test_in_the_way.test_a_file_of_theirs_is_never_lost_and_never_hides_ours",
        "test_in_the_way.test_what_is_not_ignored_any_more_is_still_in_conflict",
        "test_in_the_way.test_theirs_is_taken_and_ours_stays_beside",
    ],
    28: [
        "test_commit.test_a_directory_with_a_name_that_is_never_published_shows_what_it_did",
    ],
    29: ["test_discarding.test_a_name_that_is_not_utf8_is_not_taken_for_another"],
}


def test_each_sentence_of_the_document_is_held_by_tests_that_exist():
    document = (REPOSITORY / "docs/SEMANTICS.md").read_text()
    written = [int(number) for number in re.findall(r"\(W(\d+)\)", document)]
    assert written == list(range(1, len(written) + 1))
    assert set(written) == set(TESTS)
    for name in (name for names in TESTS.values() for name in names):
        module, function = name.split(".")
        assert callable(getattr(importlib.import_module(module), function))
