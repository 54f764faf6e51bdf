"""Where trainings run: devices, GPU leases, threads and memory of a process, utilisation."""
