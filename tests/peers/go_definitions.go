// Definitions of random names by go/types, the type checker of Go's own tools.
// go run go_definitions.go ROOT N SEED  ->  JSON lines {path, start, name, def: [path, start]}; offsets are bytes.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

type place struct {
	Path  string        `json:"path"`
	Start int           `json:"start"`
	Name  string        `json:"name"`
	Def   []interface{} `json:"def"`
}

func main() {
	root, _ := filepath.Abs(os.Args[1])
	count, _ := strconv.Atoi(os.Args[2])
	seed, _ := strconv.ParseInt(os.Args[3], 10, 64)
	build.Default.CgoEnabled = false
	fset := token.NewFileSet()
	source := importer.ForCompiler(fset, "source", nil)
	var places []place
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if name := entry.Name(); name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") {
			return filepath.SkipDir
		}
		found, err := build.ImportDir(path, 0)
		if err != nil {
			return nil
		}
		var files []*ast.File
		for _, name := range found.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(path, name), nil, parser.SkipObjectResolution)
			if err == nil {
				files = append(files, file)
			}
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		config := types.Config{Importer: source, Error: func(error) {}, FakeImportC: true}
		config.Check(found.ImportPath, fset, files, info)
		for ident, object := range info.Uses {
			if !object.Pos().IsValid() {
				continue
			}
			at, def := fset.Position(ident.Pos()), fset.Position(object.Pos())
			if at.Filename == def.Filename && at.Offset == def.Offset {
				continue
			}
			places = append(places, place{at.Filename, at.Offset, ident.Name, []interface{}{def.Filename, def.Offset}})
		}
		return nil
	})
	// Maps come in no order: sort before choosing, so that a seed means something.
	sort.Slice(places, func(i, j int) bool {
		if places[i].Path != places[j].Path {
			return places[i].Path < places[j].Path
		}
		return places[i].Start < places[j].Start
	})
	random := rand.New(rand.NewSource(seed))
	random.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	if len(places) > count {
		places = places[:count]
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, p := range places {
		if err := encoder.Encode(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
