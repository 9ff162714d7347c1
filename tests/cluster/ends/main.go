// Command ends is an image's "python" that ends with the status which its last argument names, as
// ends_75 does: a worker that says nothing but that.
package main

import (
	"os"
	"strconv"
	"strings"
)

func main() {
	_, number, _ := strings.Cut(os.Args[len(os.Args)-1], "_")
	status, err := strconv.Atoi(number)
	if err != nil {
		status = 2
	}
	os.Exit(status)
}
