// A client made of golang.org/x/net/proxy: PUTs what comes on its standard input, or GETs when
// nothing comes, through a SOCKS5 proxy that resolves the name, and prints the body of the answer.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/proxy"
)

const timeout = time.Minute

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: main ADDRESS USER PASSWORD URL")
		os.Exit(2)
	}
	if err := exchange(os.Args[1], proxy.Auth{User: os.Args[2], Password: os.Args[3]}, os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func exchange(address string, auth proxy.Auth, url string) error {
	dialer, err := proxy.SOCKS5("tcp", address, &auth, proxy.Direct)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{Dial: dialer.Dial}, Timeout: timeout}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	method := http.MethodGet
	if len(body) > 0 {
		method = http.MethodPut
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
