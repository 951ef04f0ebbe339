"""What stands behind the ports: files are named as in `treadle.ports`."""
