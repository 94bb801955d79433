.PHONY: check static test test-slow coverage docs format fields pictures lock

check: static test        # what pre-commit, the workflow and CI hold a change to

static:
	.ci/check

test:
	uv run pytest

test-slow:
	uv run pytest -m slow

coverage:
	uv run pytest --cov

docs:                     # the site, into .cache/site; a warning is an error
	uv run mkdocs build --strict --quiet

format:
	uv run ruff check --fix .
	uv run ruff format .

fields:                   # the tables of configs/README.md, from config.py
	uv run python .ci/fields.py

pictures:                 # the README's, of pages seen in Chromium
	FORESEQ_PICTURES=.github/images uv run pytest -n 0 -m slow tests/browser

lock:                     # the newest versions that pyproject.toml allows, pinned there
	uv run --script .ci/lock.py
	uv lock
