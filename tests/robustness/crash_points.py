"""The steps of the journal at which a crashing-gateway can kill itself."""

import subprocess

import programs

POINTS = subprocess.run([programs.BIN / "crashing-gateway", "--list"], check=True, text=True,
                        stdout=subprocess.PIPE).stdout.split()
