"""A table is a dictionary whose copies do not notice what happens to the others."""

from hypothesis import given
from hypothesis import strategies as st

from gallery.decision.table import Table

CHANGES = st.lists(st.tuples(st.sampled_from(["set", "pop", "copy"]), st.integers(0, 3), st.integers(0, 9)))


@given(CHANGES)
def test_copies_of_a_table_change_as_copies_of_a_dictionary(changes: list[tuple[str, int, int]]) -> None:
    tables: list[Table[int, int]] = [Table()]
    dictionaries: list[dict[int, int]] = [{}]
    for number, (change, which, key) in enumerate(changes):
        table, dictionary = tables[which % len(tables)], dictionaries[which % len(tables)]
        if change == "set":
            table[key] = dictionary[key] = number
        elif change == "pop":
            assert table.pop(key, None) == dictionary.pop(key, None)
        else:
            tables.append(table.copy())
            dictionaries.append(dictionary.copy())

    assert tables == dictionaries
    assert [len(table) for table in tables] == [len(dictionary) for dictionary in dictionaries]
    assert [table.get(0, -1) for table in tables] == [dictionary.get(0, -1) for dictionary in dictionaries]
