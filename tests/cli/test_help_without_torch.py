import subprocess
import sys


def test_help_of_train_loads_no_torch() -> None:
    program = "import sys; from galsmith.cli import main; main(['train', '--help']); sys.exit('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert "pca_diffusion-pictures" in ended.stdout
