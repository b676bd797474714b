import sys
from pathlib import Path

# modules of this folder are also those of the process that reads mutants
sys.path.insert(0, str(Path(__file__).parent))
