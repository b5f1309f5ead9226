"""What runs inside an instance: its first process, a small stand-in for systemd, and its `systemctl`.

Only the standard library is used here: an instance sees no other packages.
"""
