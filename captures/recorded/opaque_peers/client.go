// SPDX-License-Identifier: GPL-2.0-or-later
// One request over TLS: client URL ADDRESS KEYS, where the keys are written to a file.
package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	keys, err := os.OpenFile(os.Args[3], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	dial := func(network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return net.Dial(network, net.JoinHostPort(os.Args[2], port))
	}
	config := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keys}
	client := http.Client{Transport: &http.Transport{Dial: dial, TLSClientConfig: config}}
	response, err := client.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("LOG", response.StatusCode)
}
