package postfixrig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// writeCertificate makes a key and a certificate that vouches for itself, and
// returns the file with both.
func (p *Postfix) writeCertificate() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mx.rig.test"},
		DNSNames:     []string{"mx.rig.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	var chain bytes.Buffer
	_ = pem.Encode(&chain, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
	_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	file := filepath.Join(p.conf(), "chain.pem")
	return file, os.WriteFile(file, chain.Bytes(), 0o600)
}
