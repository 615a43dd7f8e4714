"""The driver for qcow2 images, at rest or in use by a running QEMU."""
