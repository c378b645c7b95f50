; Strings that are built of strings, and taken apart again.

(define (join words)
  (if (null? words) ""
    (fold (lambda (text word) (string-append text " " word)) (car words) (cdr words))))

(define (split text)
  (let loop ((from 0) (to 0) (words '()))
    (cond ((= to (string-length text)) (reverse (cons (substring text from to) words)))
          ((= (string-ref text to) 32) (loop (+ to 1) (+ to 1) (cons (substring text from to) words)))
          (else (loop from (+ to 1) words)))))

(define (checksum text)
  (let loop ((i 0) (a 1) (b 0))
    (if (= i (string-length text)) (list a b)
      (let* ((a (remainder (+ a (string-ref text i)) 65521)) (b (remainder (+ b a) 65521)))
        (loop (+ i 1) a b)))))

(define words (map (lambda (i) (string-append "w" (->string (* i i)))) (iota 400)))
(define text (join words))
(print (string-length text))
(print (equal? words (split text)))
(print (checksum text))
(print (length (split (join (map (lambda (w) (string-append w " " w)) words)))))
(write (substring text 0 30)) (newline)
(print (sort string<? (split "the quick brown fox jumps over the lazy dog")))
