"""Portfolio weights by linear algebra: covariance, inverse, eigenvalues, Cholesky, and a small search."""

import numpy as np
from strategy.skills.book import Quiet

from shell.contract import Action, Signal


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        symbols = sorted(markets)
        closes = np.column_stack([markets[symbol].candles_1h["close"].to_numpy()[-200:] for symbol in symbols])
        returns = np.diff(np.log(closes), axis=0)
        mean, covariance = returns.mean(axis=0), np.cov(returns, rowvar=False) + 1e-10 * np.eye(len(symbols))
        minimum = np.linalg.solve(covariance, np.ones(len(symbols)))
        minimum = np.clip(minimum / minimum.sum(), 0, None)
        values, vectors = np.linalg.eigh(covariance)
        lower = np.linalg.cholesky(covariance)
        inverse = np.linalg.inv(covariance) @ mean
        singular = np.linalg.svd(returns, compute_uv=False)
        q, r = np.linalg.qr(returns)
        grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * len(symbols)), axis=-1).reshape(-1, len(symbols))
        grid = grid[np.isclose(grid.sum(axis=1), 1.0)]
        scores = grid @ mean - np.einsum("ij,jk,ik->i", grid, covariance, grid)
        best = grid[scores.argmax()]
        facts = f"{values[-1] / values.sum():.4f} {abs(vectors[0, -1]):.4f} {lower[0, 0]:.6f} {np.linalg.det(lower):.3e} {singular[0]:.5f}"
        facts += f" {inverse.max():.3f} {np.linalg.norm(q @ r - returns):.1f} {np.linalg.matrix_rank(returns)}"
        return [
            Signal(
                symbol, Action.BUY, float(0.1 * weight), confidence=float(share), reasoning=f"{weight:.4f} {share:.2f} {facts}"
            )
            for symbol, weight, share in zip(symbols, minimum, best, strict=True)
        ]
