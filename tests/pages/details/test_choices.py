"""The entries of lists, whose HTML no template makes."""

from nicobar.pages.details.choices import Choice, options


def test_values_and_names_are_escaped() -> None:
    choices = [Choice("", "Choose", chosen=False), Choice('"><script>', "<b>A&B's</b>", chosen=True)]
    assert str(options(choices)) == (
        '<option value="">Choose</option>\n'
        '<option value="&#34;&gt;&lt;script&gt;" selected>&lt;b&gt;A&amp;B&#39;s&lt;/b&gt;</option>'
    )
    assert str(options([Choice('"><script>', "<b>A&B's</b>", chosen=False)])) == (
        '<option value="&#34;&gt;&lt;script&gt;">&lt;b&gt;A&amp;B&#39;s&lt;/b&gt;</option>'
    )


def test_a_list_of_nothing_has_no_entries() -> None:
    assert str(options([])) == ""
