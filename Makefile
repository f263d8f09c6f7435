# The only commands a newcomer needs. Each does the set-up and the build that it stands on.
#   make run        build, then write text with the small NVFP4 model on the simulated GPU
#   make test       build, then every C++ and Python test
#   make build      set-up, kernels, libraries, Python package
#   make lint       layer rules, file rules, SASS rules, formatting
#   make bench      speed of the simulator beside its aims and the last record (RECORD=1 appends a row)
#   make test-long  also the tests that take minutes, and all C++ tests under sanitizers (builds of their own)
#   make fuzz       FUZZ_SECONDS=20 for each part of the simulator that reads bytes from outside (needs clang)
#   make setup      .venv and .cuda only
#   make format     rewrite sources in the house format
#   make clean      remove what the build made (the tools of .venv and .cuda stay)
# Settings: B12X_NVCC=path (another nvcc), B12X_JOBS=n, B12X_PROMPT='text', CXX, PYTHON.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

BIN := $(CURDIR)/.venv/bin
B12X_JOBS ?= $(shell nproc)
B12X_NVCC ?= $(CURDIR)/.cuda/nvidia/cu13/bin/nvcc
ifeq ($(origin CXX),default)
CXX := g++
endif
export CXX

.PHONY: help setup build run test test-long fuzz lint bench format clean

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@tools/setup/setup.sh

build: setup
	@tools/setup/build.sh "$(B12X_NVCC)" "$(B12X_JOBS)"

# Only what running needs: the tests would take as long again to compile.
run: setup
	@tools/setup/build.sh "$(B12X_NVCC)" "$(B12X_JOBS)" b12x_python_libs
	@$(BIN)/b12x generate $(if $(B12X_PROMPT),--prompt "$(B12X_PROMPT)")

test: build
	@tools/setup/test.sh "$(B12X_JOBS)"

test-long: build
	@B12X_LONG_TESTS=1 tools/setup/test.sh "$(B12X_JOBS)"
	@tools/setup/sanitizers.sh "$(B12X_NVCC)" "$(B12X_JOBS)"

fuzz: setup
	@tools/setup/fuzz.sh "$(B12X_JOBS)" "$(or $(FUZZ_SECONDS),20)"

lint: build
	@$(BIN)/python tools/lint/run.py

bench: setup
	@tools/setup/build.sh "$(B12X_NVCC)" "$(B12X_JOBS)" sim_bench
	@$(BIN)/python simulator/bench/speed.py build/simulator/bench/sim_bench $(if $(RECORD),--record)

format: setup
	@$(BIN)/python tools/lint/formatting.py --write

clean:
	rm -rf build python/b12x/_lib
