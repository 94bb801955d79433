"""What flows and commands run in: environment, Prefect's server, terminal and log, schedules."""
