"""What the pointer finds in a formula is what the notation page says."""

from book.make import symbols


def test_a_cell_of_the_notation_page_names_symbols_as_they_are_read_off_a_formula():
    assert list(symbols.keys(r"$S_{xx}, S_{yy}$")) == ["Sxx", "Syy"]
    assert list(symbols.keys(r"$\sigma_i$")) == ["σi", "σ"]
    assert list(symbols.keys(r"$s_{ij} = x_i^\top y_j$")) == ["sij", "s"]
    assert list(symbols.keys(r"$\lambda_\text{sym}$")) == ["λsym"]


def test_a_symbol_with_several_meanings_has_all_of_them_with_their_sections():
    found = symbols.meanings()["M"]
    assert [section for section, _ in found] == ["CCA", "CCA", "Evaluation"]
    assert "gradients" in found[1][1]


def test_the_script_is_small():
    assert len(symbols.script().encode()) < 10_000
