-- Prefect's run history: its own database, so that nothing of it is ever among the books.
CREATE DATABASE prefect;
