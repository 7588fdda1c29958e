# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Labs are made of containers and network namespaces, which need root.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help setup demo demo-down test test-more test-all test-unit lint bench

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:  ## everything that the others need: Debian packages, .venv, the lab's images
	@$(SUDO) tests/setup

demo: setup  ## two KVM hosts, one playbook, and what its packets prove
	@$(SUDO) python3 tests/demo/demo.py

demo-down:  ## take the demo's lab down
	@$(SUDO) tests/lab/lab down --name demo

test: setup  ## every check, and every test that takes seconds: static, docs, sanity, unit, integration on Debian 12
	@$(SUDO) tests/run most

test-more: setup  ## what CI runs besides: Debian 13, tests that take a minute and more, and a Molecule scenario a backend
	@$(SUDO) tests/run more

test-all: setup  ## the same with what takes minutes: every Molecule scenario, every change and drill, virtual machines
	@$(SUDO) env VIRTNET_TEST_SECONDS=7200 tests/run all

test-unit: setup  ## the pure half: some seconds
	@tests/run unit

lint: setup  ## formatting, types, docs, sanity
	@tests/run lint

bench: setup  ## the benchmarks, beside their floors and their peers
	@$(SUDO) python3 tests/bench/bench.py
	@$(SUDO) python3 tests/bench/bridges.py
	@$(SUDO) python3 tests/bench/bridges.py --kind vm --runs 3
	@$(SUDO) python3 tests/bench/fleet.py
