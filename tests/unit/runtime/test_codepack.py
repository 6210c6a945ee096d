import subprocess
import sys

from flowkit.runtime.codepack import MAX_FILE, pack_code


def packed(tmp_path, code):
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}\n"
    program += (
        "from flowkit.runtime.codepack import pack_code\n"
        f"print(sorted(pack_code({str(tmp_path / 'flow.py')!r})))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return outcome.stdout.strip()


def test_the_flow_file_and_what_it_imports_beside_it_are_packed(tmp_path):
    (tmp_path / "flow.py").write_text("import helper")
    (tmp_path / "helper.py").write_text("x = 1")
    (tmp_path / "unused.py").write_text("y = 1")

    assert packed(tmp_path, "import helper, json") == "['flow.py', 'helper.py']"


def test_installed_and_hidden_modules_are_left_out(tmp_path):
    (tmp_path / "flow.py").write_text("")
    for folder in (".venv", "site-packages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"mod_{folder.strip('.')[:4]}.py").write_text("")
    code = (
        f"sys.path[:0] = [{str(tmp_path / '.venv')!r}, {str(tmp_path / 'site-packages')!r}]\n"
        "import mod_venv, mod_site"
    )

    assert packed(tmp_path, code) == "['flow.py']"


def test_a_file_that_is_too_large_is_left_out(tmp_path):
    flow = tmp_path / "flow.py"
    flow.write_text("#" * (MAX_FILE + 1))

    assert pack_code(str(flow)) == {}


def test_a_flow_without_a_file_has_no_code():
    assert pack_code("") == {}
    assert pack_code("/no/such/flow.py") == {}
