"""The devices on which trainings run, and the threads, memory and utilisation of a process."""
