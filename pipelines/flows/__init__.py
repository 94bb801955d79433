"""The flows: steps of the library as Prefect tasks, retried, resumed and recorded in MLflow."""
