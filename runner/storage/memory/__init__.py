"""The reference driver: volumes and snapshots in memory, with states, delays and quotas."""
