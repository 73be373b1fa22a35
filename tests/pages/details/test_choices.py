"""The entries of lists, whose HTML no template makes."""

from nicobar.pages.details.choices import Choices


def test_values_and_names_are_escaped() -> None:
    listed = Choices([("", "Choose"), ('"><script>', "<b>A&B's</b>")])
    assert str(listed.html('"><script>')) == (
        '<option value="">Choose</option>\n'
        '<option value="&#34;&gt;&lt;script&gt;" selected>&lt;b&gt;A&amp;B&#39;s&lt;/b&gt;</option>'
    )
    assert str(listed.html(None)) == (
        '<option value="">Choose</option>\n'
        '<option value="&#34;&gt;&lt;script&gt;">&lt;b&gt;A&amp;B&#39;s&lt;/b&gt;</option>'
    )


def test_a_value_of_no_entry_comes_last_and_stays_with_nobody_else() -> None:
    listed = Choices([("", "Choose"), ("CA", "California")])
    assert str(listed.html("<Far Away>")) == (
        '<option value="">Choose</option>\n'
        '<option value="CA">California</option>\n'
        '<option value="&lt;Far Away&gt;" selected>&lt;Far Away&gt;</option>'
    )
    assert str(listed.html("")) == '<option value="" selected>Choose</option>\n<option value="CA">California</option>'


def test_a_list_of_nothing_has_no_entries() -> None:
    assert str(Choices([]).html(None)) == ""
