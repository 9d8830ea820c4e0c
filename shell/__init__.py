"""The rigid shell: exchange, risk, orders, ledger, data, strategy host. Never modified by the agent, never imports prefect."""
