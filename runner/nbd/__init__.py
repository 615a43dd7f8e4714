"""The NBD protocol: a client for the disks of QEMU, and a read-only server for what a restore point holds."""
