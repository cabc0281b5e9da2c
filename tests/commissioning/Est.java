// SPDX-License-Identifier: Apache-2.0
// An EST client of BouncyCastle's: java Est.java HOST:PORT CA.pem STATION.p12 CSR.der; prints the certificate in PEM.

import java.io.FileInputStream;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;

public class Est {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        X509Certificate ca;
        try (FileInputStream file = new FileInputStream(args[1])) {
            ca = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
        }
        KeyStore station = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(args[2])) {
            station.load(file, "test".toCharArray());
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(station, "test".toCharArray());

        ESTService est = new JsseESTServiceBuilder(args[0],
                JcaJceUtils.getCertPathTrustManager(Set.of(new TrustAnchor(ca, null)), null))
            .withKeyManagers(keys.getKeyManagers())
            .withTimeout(300_000)
            .build();
        int authorities = est.getCACerts().getCertificateStore().getMatches(null).size();
        System.err.println("authorities: " + authorities);

        PKCS10CertificationRequest csr = new PKCS10CertificationRequest(Files.readAllBytes(Path.of(args[3])));
        EnrollmentResponse answer = est.simpleEnroll(false, csr, null);
        while (!answer.isCompleted()) {
            System.err.println("pending");
            Thread.sleep(Math.max(0, answer.getNotBefore() - System.currentTimeMillis()));
            answer = est.simpleEnroll(answer);
        }
        StringWriter text = new StringWriter();
        try (PemWriter pem = new PemWriter(text)) {
            for (X509CertificateHolder each : answer.getStore().getMatches(null)) {
                pem.writeObject(new PemObject("CERTIFICATE", each.getEncoded()));
            }
        }
        System.out.print(text);
    }
}
