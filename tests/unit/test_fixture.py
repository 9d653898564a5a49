from graft_testing.fixture import parse_fixture


def test_files_and_marks() -> None:
    fixture = parse_fixture("""
        //- /a/b.py
        x = "é$1"
        //- /main.py
        import a.b
        a.b.$0
    """)
    assert fixture.files == {"a/b.py": 'x = "é"\n', "main.py": "import a.b\na.b.\n"}
    assert fixture.marks == {1: ("a/b.py", 7), 0: ("main.py", 15)}


def test_without_header_it_is_main() -> None:
    assert parse_fixture("x = $0").path == "main.py"
