"""Scenario `go`: a service in Go panics for some requests since its constructor changed; run only by name.

Go compiles its own libraries where it has no cache, and the sandbox has none: that takes longer than all else.
"""

import os
import shutil

from app.demo.manifests import deployment
from app.demo.story import Change, History, Names, Scenario

NAMES = Names(route="/reserve", module="ledger", key="quayside", exception="Shortage")
ANA, BO, CHEN = "Ana Ruiz <ana@acme.example>", "Bo Lind <bo@acme.example>", "Chen Wu <chen@acme.example>"
BINARY = "bin/depot"
SEARCHED = f"{os.defpath}:/usr/local/bin:/usr/local/go/bin"

GO_MOD = """module acme.example/depot

go 1.21
"""

SCRIPT = """#!/bin/sh
# Go without a network, with a cache of the checkout's own.
export GOCACHE="${GOCACHE:-$PWD/.gocache}" GOPATH="$PWD/.gopath" GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=readonly
export CGO_ENABLED=0 PATH="$PATH:/usr/local/go/bin"
exec go "$@"
"""

SELFHEAL = f"""setup: sh go.sh build -o {BINARY} .
run: {BINARY} -port {{port}}
test: sh go.sh test -vet=off ./$module
"""

MAIN = """// Depot answers what the warehouses hold.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"acme.example/depot/$module"
)

var warehouses = []string{"north", "south", "west"}

func main() {
	port := flag.Int("port", 8080, "where to listen")
	flag.Parse()
	held := $module.New(warehouses)
	mux := http.NewServeMux()
	mux.HandleFunc("$route/", func(w http.ResponseWriter, r *http.Request) { reserve(held, w, r) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	log.Printf("listening on port %d", *port)
	log.Fatal(http.ListenAndServe(fmt.Sprintf(":%d", *port), logged(mux)))
}

// reserve answers <warehouse>/<article>: how many are reserved now.
func reserve(held *$module.Ledger, w http.ResponseWriter, r *http.Request) {
	warehouse, article, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "$route/"), "/")
	if !found {
		http.Error(w, "which article?", http.StatusNotFound)
		return
	}
	fmt.Fprintln(w, held.Reserve(warehouse, article))
}

// logged writes a line a request, and answers for a handler that panics.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		defer func() {
			if reason := recover(); reason != nil {
				log.Printf("%s %s panicked: %v\\n%s", r.Method, r.URL.Path, reason, debug.Stack())
				http.Error(w, "internal error", http.StatusInternalServerError)
				log.Printf("%s %s 500 %s", r.Method, r.URL.Path, time.Since(began))
				return
			}
			log.Printf("%s %s done after %s", r.Method, r.URL.Path, time.Since(began))
		}()
		next.ServeHTTP(w, r)
	})
}
"""

MODULE = """// Package $module counts what is reserved.
package $module

import "sync"

// Ledger holds what is reserved of each article, by warehouse.
type Ledger struct {
	mu    sync.Mutex
	count map[string]map[string]int
}

// New makes a ledger of these warehouses, and of those that open later.
func New(warehouses []string) *Ledger {
	ledger := &Ledger{count: map[string]map[string]int{}}
	for _, warehouse := range warehouses {
		ledger.open(warehouse)
	}
	return ledger
}

func (l *Ledger) open(warehouse string) map[string]int {
	if l.count[warehouse] == nil {
		l.count[warehouse] = map[string]int{}
	}
	return l.count[warehouse]
}

// Reserve takes one of an article and tells how many are taken.
func (l *Ledger) Reserve(warehouse, article string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := l.open(warehouse)
	counts[article]++
	return counts[article]
}
"""

TESTS = """package $module

import "testing"

func TestReservesCount(t *testing.T) {
	ledger := New([]string{"north"})
	ledger.Reserve("north", "rope")
	if got := ledger.Reserve("north", "rope"); got != 2 {
		t.Fatalf("two were reserved, not %d", got)
	}
}
"""

OPENS_LATER = """	counts := l.open(warehouse)
	counts[article]++
	return counts[article]
"""
KNOWN_ONLY = """	l.count[warehouse][article]++
	return l.count[warehouse][article]
"""


def obstacle() -> str | None:
    """Why the scenario cannot be run here, None where it can."""
    found = shutil.which("go", path=SEARCHED)
    return None if found else f"no Go toolchain in {SEARCHED}"


def scenario(names: Names = NAMES) -> Scenario:
    """The scenario with the names that its code uses."""
    fill = names.fill
    path = f"{names.module}/{names.module}.go"
    config = {"LOG_FORMAT": "plain"}
    started = {
        "go.mod": GO_MOD,
        "go.sh": SCRIPT,
        ".gitignore": "/bin/\n/.gocache/\n/.gopath/\n",
        ".selfheal.yml": fill(SELFHEAL),
        "main.go": fill(MAIN),
        path: fill(MODULE),
    }
    changes = (
        Change("Count reservations a warehouse", ANA, files=started),
        Change("Test that reservations add up", BO, files={f"{names.module}/{names.module}_test.go": fill(TESTS)}),
        Change("Say what the service is for", CHEN, files={"README.md": "# depot\n\nWhat the warehouses hold.\n"}),
        Change("Reserve without opening a warehouse again each time", CHEN, replace=(path, OPENS_LATER, KNOWN_ONLY)),
        Change(
            "Word the ledger's purpose after the glossary",
            ANA,
            replace=(path, "counts what is reserved.", "counts what is set aside for customers."),
        ),
        Change(
            "Time out idle clients in the notes", BO, files={"NOTES.md": "Idle clients are cut off by the proxy.\n"}
        ),
    )
    places = ("north", "south", "west", "north", "west", names.key)
    return Scenario(
        name="go",
        service="depot",
        namespace="logistics",
        source=History("acme/depot", changes, stable=2, canary=5),
        deploy=deployment("depot", "logistics", "0.9.4", "0.9.5", config),
        package="depot",
        build=("sh", "go.sh", "build", "-o", BINARY, "."),
        program=(BINARY, "-port", "{port}"),
        stable_config=config,
        canary_config=config,
        paths=tuple(f"{names.route}/{place}/{article}" for place in places for article in ("rope", "sail")),
        trigger="on-rollout-aborted",
        images=("0.9.4", "0.9.5"),
    )
